-- Calls of agents at work: each one for a while, and what they add up to by the hour and by the day.

create table agent_calls (
    at timestamptz not null,
    agent_type varchar(50) not null,
    version varchar(20) not null,
    model text not null,
    latency_ms double precision,
    first_token_ms double precision,
    input_tokens bigint not null,
    output_tokens bigint not null,
    cost_usd double precision not null,
    error_kind text,
    score double precision,
    constraint agent_calls_outcome check (error_kind is not null or latency_ms is not null),
    constraint agent_calls_error_kind check (error_kind ~ '^[a-z][a-z0-9_]{0,49}$'),
    constraint agent_calls_figures check (
        least(latency_ms, first_token_ms, input_tokens, output_tokens, cost_usd) >= 0 and (score is null or score between 0 and 1)
    )
) partition by range (at);

comment on table agent_calls is
    'Each call of an agent with a version, as long as the retention setting says: a partition for each month, dropped as a '
    'whole. What they add up to stays in version_performance and agent_call_figures. No key to prompts: versions are never '
    'deleted, the writer takes only calls of those that exist, and a lookup for each of thousands of rows a second would be '
    'paid for nothing.';
comment on column agent_calls.at is 'When the call ended.';
comment on column agent_calls.latency_ms is 'Milliseconds to the whole answer; of a failed call to its failure, if known.';
comment on column agent_calls.first_token_ms is 'Milliseconds to the first text of the answer.';
comment on column agent_calls.error_kind is 'Why there was no answer; null when there was one.';
comment on column agent_calls.score is 'How good the answer was, from 0 to 1, if anybody judged it.';
comment on constraint agent_calls_outcome on agent_calls is 'An answer without its latency says nothing.';
comment on constraint agent_calls_error_kind on agent_calls is 'Kinds are names, so that they can be counted.';
comment on constraint agent_calls_figures on agent_calls is 'Figures of a faulty writer are refused.';

create index agent_calls_failed on agent_calls (agent_type, at desc) where error_kind is not null;
comment on index agent_calls_failed is 'What failed lately. Partial: most calls do not fail, and cost nothing here.';

create function agent_calls_month(at timestamptz) returns void language plpgsql as $$
declare
    begins timestamp := date_trunc('month', at at time zone 'UTC');
    name text := 'agent_calls_' || to_char(begins, 'YYYY_MM');
begin
    if to_regclass(name) is not null then
        return;
    end if;
    -- One writer makes it, the others wait. Attached and not created as a part: that way nobody who writes to another
    -- month waits.
    perform pg_advisory_xact_lock(hashtext('agent_calls_month'));
    -- Asked of the catalogue itself: waiting for this lock does not renew what to_regclass remembers.
    if not exists (
        select from pg_inherits join pg_class child on child.oid = inhrelid
        where inhparent = 'agent_calls'::regclass and child.relname = name
    ) then
        execute format('create table %I (like agent_calls including defaults including constraints)', name);
        execute format(
            'alter table agent_calls attach partition %I for values from (%L) to (%L)', name,
            begins at time zone 'UTC', (begins + interval '1 month') at time zone 'UTC'
        );
    end if;
end $$;

comment on function agent_calls_month is 'Makes the partition for the calls of the month of a time, unless it is there.';

create function agent_calls_forget(before timestamptz) returns bigint language plpgsql as $$
declare
    part record;
    dropped bigint := 0;
begin
    for part in
        select child.relname as name
        from pg_inherits
        join pg_class child on child.oid = pg_inherits.inhrelid
        where pg_inherits.inhparent = 'agent_calls'::regclass
            and to_date(right(child.relname, 7), 'YYYY_MM') + interval '1 month' <= before at time zone 'UTC'
    loop
        execute format('drop table if exists %I', part.name);
        dropped := dropped + 1;
    end loop;
    return dropped;
end $$;

comment on function agent_calls_forget is 'Drops the months that ended before a time, and says how many they were.';

create table agent_call_figures (
    agent_type varchar(50) not null,
    span text not null,
    begins_at timestamptz not null,
    version varchar(20) not null,
    calls bigint not null,
    errors bigint not null,
    latency_ms_sum double precision not null,
    latency_buckets bigint[] not null,
    output_tokens bigint not null,
    cost_usd double precision not null,
    constraint agent_call_figures_pkey primary key (agent_type, span, begins_at, version),
    constraint agent_call_figures_version_fkey foreign key (agent_type, version)
        references prompts (agent_type, version),
    constraint agent_call_figures_span check (span in ('hour', 'day')),
    constraint agent_call_figures_counts check (
        calls > 0 and errors between 0 and calls and least(latency_ms_sum, output_tokens, cost_usd) >= 0
        and cardinality(latency_buckets) = 64
    )
);

comment on table agent_call_figures is
    'What calls of agents at work added up to, by version and by the hour and the day (UTC) in which they ended, so that a plot '
    'over millions of calls reads as many rows as it has points. Hours are forgotten after some weeks, days never.';
comment on column agent_call_figures.latency_buckets is 'As in version_performance.';
comment on constraint agent_call_figures_pkey on agent_call_figures is
    'One row for what is drawn as one point; read by agent, span and time, which is its order.';
comment on constraint agent_call_figures_version_fkey on agent_call_figures is 'A figure without a version says nothing.';
comment on constraint agent_call_figures_span on agent_call_figures is 'What plots are drawn by.';
comment on constraint agent_call_figures_counts on agent_call_figures is 'Sums of a faulty writer are refused.';
