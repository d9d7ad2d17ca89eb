-- A batch of calls counts once however often it is sent, and what is not known of a call is not taken for nothing.

create table agent_call_batches (
    batch_id uuid not null,
    recorded bigint not null,
    recorded_at timestamptz not null default now(),
    constraint agent_call_batches_pkey primary key (batch_id),
    constraint agent_call_batches_recorded check (recorded >= 0)
);

comment on table agent_call_batches is
    'Batches of calls that were recorded, in the transaction that recorded them. Who does not know what became of a batch, because '
    'the connection broke, sends it again; it is recognised here. Forgotten after some days.';
comment on column agent_call_batches.recorded is 'How many calls of it were recorded: the answer to a repetition.';
comment on constraint agent_call_batches_pkey on agent_call_batches is 'Of two that send the same batch at once, one waits for the other.';
comment on constraint agent_call_batches_recorded on agent_call_batches is 'A count.';

create index agent_call_batches_old on agent_call_batches (recorded_at);
comment on index agent_call_batches_old is 'Those that are to be forgotten.';

-- A model without a price, or a provider that counts no tokens, is not one that costs nothing.
alter table agent_calls
    alter column input_tokens drop not null,
    alter column output_tokens drop not null,
    alter column cost_usd drop not null;

comment on column agent_calls.input_tokens is 'Tokens sent; null when nobody counted them.';
comment on column agent_calls.output_tokens is 'Tokens answered; null when nobody counted them.';
comment on column agent_calls.cost_usd is 'US dollars; null when the price is not known.';
comment on column agent_calls.error_kind is
    'Why there was no answer; null when there was one. Calls that were cancelled are kept here and added up nowhere: whoever goes '
    'away says nothing about the version.';

alter table version_performance
    add column counted_calls bigint not null default 0,
    add column priced_calls bigint not null default 0,
    add constraint version_performance_known check (
        counted_calls between 0 and calls and priced_calls between 0 and calls
    );
alter table agent_call_figures
    add column counted_calls bigint not null default 0,
    add column priced_calls bigint not null default 0,
    add constraint agent_call_figures_known check (
        counted_calls between 0 and calls and priced_calls between 0 and calls
    );

-- Of what was added up before, nobody knows any more which zeros were none.
update version_performance set counted_calls = calls, priced_calls = calls;
update agent_call_figures set counted_calls = calls, priced_calls = calls;

alter table version_performance alter column counted_calls drop default, alter column priced_calls drop default;
alter table agent_call_figures alter column counted_calls drop default, alter column priced_calls drop default;

comment on column version_performance.counted_calls is 'Calls whose answered tokens are known: output_tokens is their sum.';
comment on column version_performance.priced_calls is 'Calls whose cost is known: cost_usd is their sum.';
comment on constraint version_performance_known on version_performance is 'Parts of all calls.';
comment on column agent_call_figures.counted_calls is 'As in version_performance.';
comment on column agent_call_figures.priced_calls is 'As in version_performance.';
comment on constraint agent_call_figures_known on agent_call_figures is 'Parts of all calls.';
