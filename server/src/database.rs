//! The database of a process: the one that `DATABASE_URL` names, or a private one that it starts and owns.

use std::time::Duration;

use anyhow::{Context, bail};
use sqlx::{
    Connection, PgConnection, PgPool,
    migrate::MigrateError,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use versioning::MIGRATOR;

use crate::{
    config::CommonSettings,
    postgres::{PrivatePostgres, default_data_dir},
};

/// The oldest PostgreSQL that the migrations run on, as `server_version_num` counts.
const MIN_SERVER_VERSION: u32 = 15_00_00;

/// How long a request waits for a free connection. Short: when the database is away, the answer is to come fast.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);

/// The same for a replica: the database itself can answer instead.
const REPLICA_TIMEOUT: Duration = Duration::from_secs(1);

/// How long connections that are in use are waited for when the process ends. Short: whoever uses one was given time to
/// end, and nobody waits for the answer any more.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A pool of connections, and the server behind it if it is ours.
pub struct Database {
    /// The connections.
    pub pool: PgPool,
    /// Connections to a copy that may lag behind, if there is one.
    pub replica: Option<PgPool>,
    /// How the one connects who migrates.
    migrating: PgConnectOptions,
    url: String,
    private: Option<PrivatePostgres>,
}

impl Database {
    /// Connects to the database that the settings name, or starts the private one.
    ///
    /// # Errors
    /// With a message for whoever started the process: what is wrong and what to do.
    pub async fn open(settings: &CommonSettings) -> anyhow::Result<Self> {
        let (options, url, private) = match settings.database_url.as_deref().filter(|url| !url.trim().is_empty()) {
            Some(url) => {
                let options: PgConnectOptions = url.parse().context(
                    "DATABASE_URL is not of the form postgres://user:password@host:port/name (special characters in \
                     the password are written as %XX)",
                )?;
                (options, url.to_owned(), None)
            }
            None => {
                let folder = settings.data_dir.clone().unwrap_or_else(default_data_dir);
                tracing::info!(folder = %folder.display(), "starting the private PostgreSQL");
                let private = PrivatePostgres::start(&folder).await?;
                (private.connect_options(), private.url(), Some(private))
            }
        };
        // An index over a large table takes its time, and so does waiting for another node that makes it.
        let migrating = options.clone().application_name("verbatim migrate");
        let options = configured(options);
        let host = options.get_host().to_owned();
        let pool = PgPoolOptions::new()
            .max_connections(settings.db_connections)
            .acquire_timeout(ACQUIRE_TIMEOUT)
            .connect_with(options)
            .await
            .with_context(|| {
                format!("cannot connect to the database at {host}; check DATABASE_URL, and that it runs")
            })?;
        let replica = settings.database_read_url.as_deref().filter(|url| !url.trim().is_empty()).map(|url| {
            let options: PgConnectOptions =
                url.parse().context("DATABASE_READ_URL is not of the form postgres://user:password@host:port/name")?;
            tracing::info!(host = options.get_host(), "a replica answers what may be some seconds old");
            // Nothing is asked of it yet: a replica that is away keeps nobody from starting.
            let pool = PgPoolOptions::new().max_connections(settings.db_connections).acquire_timeout(REPLICA_TIMEOUT);
            anyhow::Ok(pool.connect_lazy_with(configured(options)))
        });
        let database = Self { pool, replica: replica.transpose()?, migrating, url, private };
        database.check_version().await?;
        Ok(database)
    }

    /// The address of the database, with its password: for a child process, never for a log.
    pub fn url(&self) -> &str {
        &self.url
    }

    async fn check_version(&self) -> anyhow::Result<()> {
        match self.pool.acquire().await?.server_version_num() {
            Some(version) if version < MIN_SERVER_VERSION => {
                bail!("the database is PostgreSQL {}; Verbatim needs 15 or later", version / 10_000)
            }
            _ => Ok(()),
        }
    }

    /// Applies the migrations that are missing. Several nodes may do so at once; one does, the others wait.
    ///
    /// # Errors
    /// With the way forward, when the schema is not one that this binary can work with.
    pub async fn migrate(&self) -> anyhow::Result<()> {
        let mut connection = PgConnection::connect_with(&self.migrating)
            .await
            .context("cannot connect to the database to bring its schema up to date")?;
        let migrated = MIGRATOR.run(&mut connection).await;
        // What it held is let go of either way.
        let _ = connection.close().await;
        migrated.map_err(|error| match error {
            MigrateError::VersionMissing(version) => anyhow::anyhow!(
                "the database has migration {version}, which this build does not know: a newer Verbatim made it. Run \
                 that one."
            ),
            MigrateError::VersionMismatch(version) => anyhow::anyhow!(
                "migration {version} was changed after it had been applied to this database; applied migrations are \
                 never edited. Run the build that applied it, or start with an empty database and import an export."
            ),
            other => anyhow::Error::new(other).context("the database could not be migrated"),
        })?;
        tracing::info!("the schema is up to date");
        Ok(())
    }

    /// Closes the connections and stops the private server.
    ///
    /// # Errors
    /// The private server did not stop.
    pub async fn close(self) -> anyhow::Result<()> {
        // A request that was cut off may still hold a connection; it is not waited for again.
        let closed = async {
            self.pool.close().await;
            if let Some(replica) = &self.replica {
                replica.close().await;
            }
        };
        if tokio::time::timeout(CLOSE_TIMEOUT, closed).await.is_err() {
            tracing::warn!("connections that are still in use were left behind");
        }
        if let Some(private) = self.private {
            private.stop().await?;
            tracing::info!("the private PostgreSQL has stopped");
        }
        Ok(())
    }
}

/// What every connection has.
fn configured(options: PgConnectOptions) -> PgConnectOptions {
    options.application_name("verbatim").options([
        // Nobody waits for a statement longer than for a request, and a node that lost its network in the middle of a
        // change does not hold an agent's lock for ever.
        ("statement_timeout", "60s"),
        ("idle_in_transaction_session_timeout", "60s"),
    ])
}
