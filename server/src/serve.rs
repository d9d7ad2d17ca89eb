//! From settings to a running server, and down again without losing a request.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use agents::{AgentLimits, Models, Prices};
use anyhow::{Context, bail};
use lab::{Lab, Runner, RunnerSettings};
use leptos::config::LeptosOptions;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
};
use versioning::{LoadingSettings, PromptStore, ReplicaLimits, Services, listen};

use crate::{
    accept,
    config::{CommonSettings, ServeSettings},
    database::Database,
    descriptors,
    origin::{Hosts, OwnSite},
    retention::Retention,
    router, seeds,
    state::{AgentSettings, AppState},
};

/// How long a client may take nothing of what it is sent. Then it is disconnected; a stream of events goes on when it
/// is back.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Migrates, seeds, serves and drains.
///
/// # Errors
/// With a message for whoever started the server.
pub async fn serve(common: &CommonSettings, settings: &ServeSettings) -> anyhow::Result<()> {
    check_address(settings)?;
    descriptors::raise_limit();
    // Before the database: an address that is taken should not cost the start of a PostgreSQL.
    let listener = TcpListener::bind(settings.addr)
        .await
        .with_context(|| format!("cannot serve on {}; choose another address with VERBATIM_ADDR", settings.addr))?;
    let mut signals = Signals::new();
    let database = tokio::select! {
        opened = Database::open(common) => opened?,
        // A start that is given up stops what it has started.
        () = signals.told_to_stop() => return Ok(()),
    };
    let served = run(settings, &database, listener, &mut signals).await;
    database.close().await?;
    served
}

async fn run(
    settings: &ServeSettings,
    database: &Database,
    listener: TcpListener,
    signals: &mut Signals,
) -> anyhow::Result<()> {
    let (services, _listening) = tokio::select! {
        prepared = async {
            database.migrate().await?;
            let services = services(settings, database);
            if settings.seed && services.management.seed(&seeds::versions()?).await? {
                tracing::info!("the registry was empty; the ten agents are in place");
            }
            let listening = listen(&services).await;
            anyhow::Ok((services, listening))
        } => prepared?,
        () = signals.told_to_stop() => return Ok(()),
    };
    let keep = Duration::from_secs(u64::from(settings.call_retention_days) * 86_400);
    let _retention = Retention::spawn(services.performance.clone(), keep);

    let options = leptos_options(settings.addr, &settings.site_root)?;
    let prices = match &settings.prices {
        Some(path) => Prices::read(path).with_context(|| format!("cannot use the prices of {}", path.display()))?,
        None => Prices::built_in(),
    };
    let lab = Lab::new(database.pool.clone(), services.clone(), Arc::new(Models::from_env()), prices);
    let runner = Runner::spawn(lab.clone(), RunnerSettings { lease: settings.lab_lease, ..RunnerSettings::default() });
    let agents = AgentSettings {
        limits: AgentLimits {
            concurrency: settings.agent_calls.into(),
            timeout: settings.agent_timeout,
            ..AgentLimits::default()
        },
        default_model: settings.default_model.clone(),
        heartbeat: settings.heartbeat,
    };
    let pool = database.pool.clone();
    let state = AppState::with_agents(services, lab, pool, options, settings.request_timeout, agents);
    let calls = state.calls.clone();
    let address = listener.local_addr()?;
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let stopping = state.clone();
    let service = OwnSite::new(Hosts::new(&settings.hosts), router(state));
    let server = accept::serve(listener, service, settings.head_timeout, WRITE_TIMEOUT, async {
        let _ = stopped.await;
    });
    let mut server = std::pin::pin!(server);
    tracing::info!("serving on http://{address}");

    tokio::select! {
        () = &mut server => bail!("the server ended by itself"),
        () = signals.told_to_stop() => {}
    }
    stopping.drain();
    tracing::info!("told to stop; requests under way are given time to end");
    let _ = stop.send(());
    let ended = async {
        tokio::join!(&mut server, runner.stop(settings.drain_timeout));
        // What the last requests recorded.
        calls.flush(settings.drain_timeout).await;
    };
    tokio::select! {
        () = ended => {}
        () = tokio::time::sleep(settings.drain_timeout) => {
            tracing::warn!(seconds = settings.drain_timeout.as_secs_f64(), "requests under way were cut off");
        }
        () = signals.told_to_stop() => tracing::warn!("told again; requests under way were cut off"),
    }
    Ok(())
}

/// The registry's services over this database.
fn services(settings: &ServeSettings, database: &Database) -> Services {
    let store = PromptStore::new(database.pool.clone());
    let store = match &database.replica {
        Some(replica) => store.with_replica(replica.clone(), ReplicaLimits::default()),
        None => store,
    };
    let loading = LoadingSettings { time_to_live: settings.cache_ttl, ..LoadingSettings::default() };
    Services::new(store, loading)
}

fn check_address(settings: &ServeSettings) -> anyhow::Result<()> {
    if !settings.addr.ip().is_loopback() && !settings.allow_remote {
        bail!(
            "{} can be reached by other machines, and Verbatim has no accounts yet: whoever reaches it can change every \
             prompt. Serve on 127.0.0.1 behind a proxy that authenticates, or allow it with VERBATIM_ALLOW_REMOTE=true.",
            settings.addr
        );
    }
    Ok(())
}

/// Where the pages' scripts and styles lie. Their names carry a hash when the build tool made them.
fn leptos_options(addr: SocketAddr, site_root: &Path) -> anyhow::Result<LeptosOptions> {
    let hashes = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join("hash.txt")));
    let has_hashes = hashes.is_some_and(|path| path.is_file());
    if !has_hashes || !site_root.join("pkg").is_dir() {
        tracing::warn!(site_root = %site_root.display(), "the pages have no scripts and styles; build with `make`");
    }
    let site_root = site_root.to_str().context("VERBATIM_SITE_ROOT is not UTF-8")?;
    Ok(LeptosOptions::builder()
        .output_name("verbatim")
        .site_root(site_root.to_owned())
        .site_pkg_dir("pkg")
        .site_addr(addr)
        .hash_files(has_hashes)
        .build())
}

/// SIGTERM and SIGINT, heard from the moment that this is made: between two waits none is lost.
pub(crate) struct Signals(Option<(Signal, Signal)>);

impl Signals {
    /// To be made before anything that has to be stopped is started.
    pub(crate) fn new() -> Self {
        Self(
            signal(SignalKind::terminate())
                .and_then(|terminate| Ok((terminate, signal(SignalKind::interrupt())?)))
                .ok(),
        )
    }

    /// Ends when the process is told to stop.
    pub(crate) async fn told_to_stop(&mut self) {
        let Some((terminate, interrupt)) = &mut self.0 else {
            // Without handlers the signals end the process by themselves; there is nothing to wait for.
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}
