-- The A/B lab: what both versions are asked, what they answered, and what was concluded.

-- Test cases ----------------------------------------------------------------------------------------------------------

create table lab_sets (
    id uuid not null default gen_random_uuid(),
    agent_type varchar(50) not null,
    name varchar(100) not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint lab_sets_pkey primary key (id),
    constraint lab_sets_agent_type_fkey foreign key (agent_type) references agents (agent_type),
    constraint lab_sets_name check (name = btrim(name) and char_length(name) between 1 and 100 and name !~ '[[:cntrl:]]'),
    constraint lab_sets_name_unique unique (agent_type, name)
);

comment on table lab_sets is 'Test cases that belong together. Unlike versions they may change: a run keeps a copy of what it used.';
comment on constraint lab_sets_pkey on lab_sets is 'A stable handle for addresses: a set can be renamed.';
comment on constraint lab_sets_agent_type_fkey on lab_sets is 'Cases are written for what one agent does.';
comment on constraint lab_sets_name on lab_sets is 'A name is shown in lists, on one line.';
comment on constraint lab_sets_name_unique on lab_sets is 'Two sets of one name could not be told apart; also lists the sets of an agent.';

create table lab_cases (
    id uuid not null default gen_random_uuid(),
    set_id uuid not null,
    position integer not null,
    name text not null,
    input text not null,
    variables jsonb not null default '{}',
    expected text,
    tags text[] not null default '{}',
    checks jsonb not null default '[]',
    constraint lab_cases_pkey primary key (id),
    constraint lab_cases_set_fkey foreign key (set_id) references lab_sets (id) on delete cascade,
    constraint lab_cases_name check (char_length(name) between 1 and 200),
    constraint lab_cases_position unique (set_id, position) deferrable initially deferred,
    constraint lab_cases_name_unique unique (set_id, name) deferrable initially deferred,
    constraint lab_cases_json check (jsonb_typeof(variables) = 'object' and jsonb_typeof(checks) = 'array')
);

comment on table lab_cases is 'An input, the values of the prompt''s variables, and what is known of a good answer.';
comment on constraint lab_cases_pkey on lab_cases is 'A stable handle: a case can be renamed and moved.';
comment on constraint lab_cases_set_fkey on lab_cases is 'Cases go with their set; runs have their own copies.';
comment on constraint lab_cases_name on lab_cases is 'Results are shown by this name.';
comment on constraint lab_cases_position on lab_cases is
    'The order in which people arranged them; deferred, because moving one case renumbers others.';
comment on constraint lab_cases_name_unique on lab_cases is 'Answers that were produced elsewhere name their case.';
comment on constraint lab_cases_json on lab_cases is 'What reads them expects these shapes.';

-- Runs ----------------------------------------------------------------------------------------------------------------

create table lab_runs (
    id uuid not null,
    agent_type varchar(50) not null,
    version_a varchar(20) not null,
    version_b varchar(20) not null,
    set_id uuid,
    set_name text not null,
    plan jsonb not null,
    is_imported boolean not null default false,
    status text not null default 'running',
    concurrency integer not null,
    budget_usd double precision,
    calls integer not null,
    done integer not null default 0,
    failed integer not null default 0,
    spent_usd double precision not null default 0,
    created_at timestamptz not null default now(),
    created_by varchar(100),
    finished_at timestamptz,
    constraint lab_runs_pkey primary key (id),
    constraint lab_runs_a_fkey foreign key (agent_type, version_a) references prompts (agent_type, version),
    constraint lab_runs_b_fkey foreign key (agent_type, version_b) references prompts (agent_type, version),
    constraint lab_runs_set_fkey foreign key (set_id) references lab_sets (id) on delete set null,
    constraint lab_runs_status check (status in ('running', 'finished', 'cancelled', 'out_of_budget')),
    constraint lab_runs_finished check ((status = 'running') = (finished_at is null)),
    constraint lab_runs_counts check (
        calls > 0 and done between 0 and calls and failed between 0 and done
        and concurrency between 1 and 200 and spent_usd >= 0 and budget_usd >= 0
    )
);

comment on table lab_runs is 'An experiment: two versions of an agent''s prompt on the same cases.';
comment on column lab_runs.plan is
    'What was settled before the run: model, settings, repeats, metrics, margin, seed, judge. It never changes afterwards.';
comment on column lab_runs.is_imported is 'Whether the answers were produced elsewhere.';
comment on column lab_runs.calls is 'Calls in all, those of judges too. Kept here with done, failed and spent_usd, so that progress is one row.';
comment on constraint lab_runs_pkey on lab_runs is 'Made by the server, in the order of time.';
comment on constraint lab_runs_a_fkey on lab_runs is 'What was compared stays there to be read.';
comment on constraint lab_runs_b_fkey on lab_runs is 'What was compared stays there to be read.';
comment on constraint lab_runs_set_fkey on lab_runs is 'A run outlives its set: it has copies of the cases.';
comment on constraint lab_runs_status on lab_runs is 'A closed list, so that every reader can handle each state.';
comment on constraint lab_runs_finished on lab_runs is 'What is over has an end, and only that.';
comment on constraint lab_runs_counts on lab_runs is 'Counts of a faulty writer are refused.';

create index lab_runs_of_agent on lab_runs (agent_type, created_at desc);
comment on index lab_runs_of_agent is 'The latest runs of an agent.';
create index lab_runs_latest on lab_runs (created_at desc);
comment on index lab_runs_latest is 'The latest runs of all agents.';
create index lab_runs_under_way on lab_runs (created_at) where status = 'running';
comment on index lab_runs_under_way is 'What a node looks for when it has nothing to do.';

create table lab_run_cases (
    run_id uuid not null,
    number integer not null,
    test_case jsonb not null,
    constraint lab_run_cases_pkey primary key (run_id, number),
    constraint lab_run_cases_run_fkey foreign key (run_id) references lab_runs (id)
);

comment on table lab_run_cases is 'A copy of each case as it was when the run began.';
comment on constraint lab_run_cases_pkey on lab_run_cases is 'Numbered from 1 in the order of the set.';
comment on constraint lab_run_cases_run_fkey on lab_run_cases is 'Part of its run.';

create table lab_calls (
    run_id uuid not null,
    number integer not null,
    kind text not null,
    case_number integer not null,
    repeat integer not null,
    side text,
    check_number integer,
    a_first boolean,
    estimate_usd double precision not null default 0,
    waits_for smallint not null default 0,
    status text not null default 'waiting',
    claimed_by uuid,
    claimed_until timestamptz,
    attempts integer not null default 0,
    answer text,
    stop text,
    error_kind text,
    error text,
    latency_ms double precision,
    first_token_ms double precision,
    input_tokens bigint,
    output_tokens bigint,
    cost_usd double precision,
    result jsonb,
    finished_at timestamptz,
    constraint lab_calls_pkey primary key (run_id, number),
    constraint lab_calls_case_fkey foreign key (run_id, case_number) references lab_run_cases (run_id, number),
    constraint lab_calls_kind check (
        case kind
            when 'answer' then side is not null and check_number is null and a_first is null
            when 'rubric' then side is not null and check_number is not null and a_first is null
            when 'pair' then side is null and check_number is null and a_first is not null
            else false
        end
    ),
    constraint lab_calls_side check (side in ('a', 'b', 'n', 'm')),
    constraint lab_calls_status check (status in ('waiting', 'claimed', 'answered', 'failed', 'skipped')),
    constraint lab_calls_claim check ((status = 'claimed') = (claimed_by is not null and claimed_until is not null)),
    constraint lab_calls_answered check ((status = 'answered') = (answer is not null)),
    constraint lab_calls_failed check ((status = 'failed') = (error_kind is not null and error is not null)),
    constraint lab_calls_once unique nulls not distinct (run_id, kind, case_number, repeat, side, check_number, a_first)
);

comment on table lab_calls is
    'Every call of a run: written before the first is made, claimed by a node, and kept with its answer. A server that is killed '
    'goes on with what has no answer yet.';
comment on column lab_calls.number is 'The order of the calls: A and B interleaved at random by the run''s seed; judges follow.';
comment on column lab_calls.side is 'Which version: a, b, or n and m, the two sides of an A/A run of one version.';
comment on column lab_calls.check_number is 'Which check of the case a judge is asked about, from 1.';
comment on column lab_calls.a_first is 'Whether the pairwise judge sees the answer of A first.';
comment on column lab_calls.estimate_usd is 'What it costs at most, by estimate: claimed calls keep so much of the budget free.';
comment on column lab_calls.waits_for is 'How many answers a judge still waits for.';
comment on column lab_calls.claimed_until is 'When another node may take the call, because the one that has it does not say that it lives.';
comment on column lab_calls.result is 'Of an answer: its checks; of a judge: the opinion.';
comment on constraint lab_calls_pkey on lab_calls is 'Also the order in which they are claimed.';
comment on constraint lab_calls_case_fkey on lab_calls is 'A call is about a case of its run.';
comment on constraint lab_calls_kind on lab_calls is 'Each kind of call says what it is about, and nothing else.';
comment on constraint lab_calls_side on lab_calls is 'A closed list.';
comment on constraint lab_calls_status on lab_calls is 'A closed list.';
comment on constraint lab_calls_claim on lab_calls is 'Who has claimed a call is known, and until when.';
comment on constraint lab_calls_answered on lab_calls is 'An answer that was paid for is never lost between two states.';
comment on constraint lab_calls_failed on lab_calls is 'A failure says why.';
comment on constraint lab_calls_once on lab_calls is 'No answer is asked for twice. It also finds the judges that wait for an answer.';

create index lab_calls_claimable on lab_calls (run_id, number) where status = 'waiting' and waits_for = 0;
comment on index lab_calls_claimable is 'What can be claimed next, without reading what is done.';
create index lab_calls_claimed on lab_calls (run_id, claimed_until) where status = 'claimed';
comment on index lab_calls_claimed is 'What is under way, and what its node has let go.';

create table lab_nodes (
    run_id uuid not null,
    node uuid not null,
    seen_until timestamptz not null,
    constraint lab_nodes_pkey primary key (run_id, node),
    constraint lab_nodes_run_fkey foreign key (run_id) references lab_runs (id)
);

comment on table lab_nodes is 'Who works on a run, so that each takes its share of the calls and no more.';
comment on column lab_nodes.seen_until is 'When a node that says nothing more does not count any longer.';
comment on constraint lab_nodes_pkey on lab_nodes is 'A node says again and again that it is there.';
comment on constraint lab_nodes_run_fkey on lab_nodes is 'Part of its run.';

create function lab_calls_keep_answers() returns trigger language plpgsql as $$
begin
    if old.status in ('answered', 'failed') and (new.answer, new.status, new.cost_usd, new.result)
        is distinct from (old.answer, old.status, old.cost_usd, old.result)
    then
        raise exception 'call % of run % has its answer already', old.number, old.run_id
            using errcode = 'check_violation', constraint = 'lab_calls_final', table = 'lab_calls';
    end if;
    return new;
end $$;

comment on function lab_calls_keep_answers is 'An answer that was recorded stays: what was concluded from it can be read again.';

create trigger lab_calls_final before update on lab_calls for each row execute function lab_calls_keep_answers();

-- What people say -----------------------------------------------------------------------------------------------------

create table lab_votes (
    run_id uuid not null,
    case_number integer not null,
    repeat integer not null,
    reviewer varchar(100) not null,
    vote text not null,
    voted_at timestamptz not null default now(),
    constraint lab_votes_pkey primary key (run_id, case_number, repeat, reviewer),
    constraint lab_votes_case_fkey foreign key (run_id, case_number) references lab_run_cases (run_id, number),
    constraint lab_votes_reviewer check (char_length(reviewer) between 1 and 100),
    constraint lab_votes_vote check (vote in ('a', 'b', 'tie'))
);

comment on table lab_votes is 'Which answer a person found better without knowing whose it was.';
comment on constraint lab_votes_pkey on lab_votes is 'One vote a reviewer and pair; a second thought replaces the first.';
comment on constraint lab_votes_case_fkey on lab_votes is 'A vote is about a case of its run.';
comment on constraint lab_votes_reviewer on lab_votes is 'Votes are counted per reviewer.';
comment on constraint lab_votes_vote on lab_votes is 'A closed list.';

-- The audit trail takes what was decided in the lab.
alter table prompt_events add column details jsonb;
comment on column prompt_events.details is 'What else there is to know: of a winner, the run and its figures.';
alter table prompt_events drop constraint prompt_events_kind;
alter table prompt_events add constraint prompt_events_kind
    check (kind in ('created', 'promoted', 'reissued', 'cache_cleared', 'winner_chosen'));
comment on constraint prompt_events_kind on prompt_events is 'A closed list, so that every reader can handle each kind.';

create table lab_choices (
    run_id uuid not null,
    winner text not null,
    agent_type varchar(50) not null,
    version varchar(20) not null,
    reason text not null,
    figures jsonb not null,
    chosen_by varchar(100),
    chosen_at timestamptz not null default now(),
    constraint lab_choices_pkey primary key (run_id),
    constraint lab_choices_run_fkey foreign key (run_id) references lab_runs (id),
    constraint lab_choices_version_fkey foreign key (agent_type, version) references prompts (agent_type, version),
    constraint lab_choices_winner check (winner in ('a', 'b')),
    constraint lab_choices_reason check (char_length(reason) between 1 and 2000)
);

comment on table lab_choices is 'The winner of a run: the page proposes, a person decides, once, with a reason.';
comment on column lab_choices.figures is 'The verdict as it stood when the choice was made.';
comment on constraint lab_choices_pkey on lab_choices is 'A run has one winner at most.';
comment on constraint lab_choices_run_fkey on lab_choices is 'Nothing wins without a run.';
comment on constraint lab_choices_version_fkey on lab_choices is 'The version that won.';
comment on constraint lab_choices_winner on lab_choices is 'One of the two.';
comment on constraint lab_choices_reason on lab_choices is 'A decision without a reason cannot be understood later.';

create function lab_choices_tell() returns trigger language plpgsql as $$
begin
    insert into prompt_events (kind, agent_type, version, actor, details)
    values ('winner_chosen', new.agent_type, new.version, new.chosen_by,
        jsonb_build_object('run', new.run_id, 'reason', new.reason, 'figures', new.figures));
    return null;
end $$;

comment on function lab_choices_tell is 'A choice and its event are one change.';

create trigger lab_choices_event after insert on lab_choices for each row execute function lab_choices_tell();
create trigger lab_choices_immutable before update or delete on lab_choices
    for each row execute function refuse_removal();
create trigger lab_choices_no_truncate before truncate on lab_choices for each statement execute function refuse_removal();
