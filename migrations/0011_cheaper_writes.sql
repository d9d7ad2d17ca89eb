-- The lock of an agent says what is active. Every writer locks the agent's row and has to know what is live then; it
-- stands in that row now, so that one look gives both: PostgreSQL reads a row anew once whoever held its lock has
-- committed.

alter table agents add column active_version varchar(20);

comment on column agents.active_version is
    'What prompts.is_active says, set by prompts_announce and by nobody else, so that the row that writers lock tells what '
    'is live. Null as long as nothing was.';

drop trigger agents_immutable on agents;

update agents set active_version = prompts.version from prompts
    where prompts.agent_type = agents.agent_type and prompts.is_active;

create function agents_follow() returns trigger language plpgsql as $$
begin
    -- Also of an agent that exists already, as `insert … on conflict do nothing` tries it.
    if tg_op = 'INSERT' and new.active_version is null then
        return new;
    end if;
    if tg_op = 'UPDATE' and (new.agent_type, new.created_at) = (old.agent_type, old.created_at)
        and new.active_version is not distinct from
            (select version from prompts where agent_type = new.agent_type and is_active)
    then
        return new;
    end if;
    raise exception 'agents are never changed or removed; what is active is what prompts say'
        using errcode = 'check_violation', constraint = 'agents_immutable', table = 'agents',
            hint = 'Promote a version: its agent follows.';
end $$;

comment on function agents_follow is 'An agent stays what it is, and names the version that is live, never another one.';

create trigger agents_immutable before insert or update or delete on agents
    for each row execute function agents_follow();

create or replace function prompts_announce() returns trigger language plpgsql as $$
begin
    update agents set active_version = new.version where agent_type = new.agent_type;
    perform pg_notify(
        'verbatim_prompts',
        json_build_object('kind', 'promoted', 'agent_type', new.agent_type, 'version', new.version)::text
    );
    return null;
end $$;

comment on function prompts_announce is
    'Tells the agent what is live, and every node which agent to drop from its cache. PostgreSQL delivers it with the '
    'commit, or not at all.';

comment on function lock_agent is
    'As 0001 says. Of nodes from before this migration, as long as they run beside newer ones.';

-- The same rule as before, without the operators for a number beside a text: those are functions in SQL, which PostgreSQL
-- reads and plans anew for every row that is written.
alter table prompts drop constraint prompts_version_format;
alter table prompts add constraint prompts_version_format
    check ((version = major::text || '.' || minor::text || '.' || patch::text) is true);
comment on constraint prompts_version_format on prompts is
    'Exactly major.minor.patch without leading zeros, so that one version has one spelling.';
