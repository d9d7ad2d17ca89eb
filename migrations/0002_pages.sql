-- What the pages need beyond the registry itself: finding a text, and the figures that versions are judged by.

-- Search --------------------------------------------------------------------------------------------------------------

create function prompt_document(body text) returns tsvector language sql immutable parallel safe
    return to_tsvector('english', left(body, 100000));

comment on function prompt_document is
    'The words of a text, without their endings. Only so much of it: PostgreSQL keeps at most 1 MiB of words of one text.';

create index prompts_live_text_search on prompts using gin (prompt_document(prompt_text)) where is_active;
comment on index prompts_live_text_search is
    'Search in what is live. Partial, so that it is kept up at a promotion and costs nothing when a draft is written; drafts '
    'are few and are searched without it.';

create index prompts_notes_search on prompts using gin (prompt_document(notes)) where notes is not null;
comment on index prompts_notes_search is 'Search in the notes of every version.';

-- Performance ---------------------------------------------------------------------------------------------------------

create table version_performance (
    agent_type varchar(50) not null,
    version varchar(20) not null,
    source text not null,
    model text not null,
    calls bigint not null,
    errors bigint not null,
    latency_ms_sum double precision not null,
    latency_buckets bigint[] not null,
    input_tokens bigint not null,
    output_tokens bigint not null,
    cost_usd double precision not null,
    scores bigint not null,
    score_sum double precision not null,
    last_call_at timestamptz not null,
    constraint version_performance_pkey primary key (agent_type, version, source, model),
    constraint version_performance_version_fkey foreign key (agent_type, version)
        references prompts (agent_type, version),
    constraint version_performance_source check (source in ('agent_call', 'lab_run')),
    constraint version_performance_model check (char_length(model) between 1 and 200),
    constraint version_performance_counts check (
        calls > 0 and errors between 0 and calls and scores between 0 and calls
        and least(latency_ms_sum, input_tokens, output_tokens, cost_usd) >= 0
        and cardinality(latency_buckets) = 64
    )
);

comment on table version_performance is
    'What calls with a version added up to, per source and model: one short row instead of millions of calls, so that two '
    'versions are compared in a moment. Calls are added to it as they are recorded.';
comment on column version_performance.errors is 'Calls without an answer.';
comment on column version_performance.latency_ms_sum is 'Milliseconds of all answered calls.';
comment on column version_performance.latency_buckets is
    'Answered calls by latency: bucket n (from 1) holds those up to 2^(n/3) milliseconds that the one before does not hold, '
    'the last one also all above. A percentile read from it is at most 26 percent too high.';
comment on column version_performance.scores is 'Calls whose answer was scored; score_sum is the sum of their scores, each 0 to 1.';
comment on constraint version_performance_pkey on version_performance is 'One row for what is compared; also how it is found.';
comment on constraint version_performance_version_fkey on version_performance is 'A figure without a version says nothing.';
comment on constraint version_performance_source on version_performance is
    'Calls of agents at work and of runs in the lab are shown apart: the lab picks its cases.';
comment on constraint version_performance_model on version_performance is 'Figures of different models are not comparable.';
comment on constraint version_performance_counts on version_performance is 'Sums of a faulty writer are refused.';
