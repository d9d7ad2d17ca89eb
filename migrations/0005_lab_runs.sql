-- The lab over several nodes: who recorded an answer, and how many calls each node may have under way.

alter table lab_calls add column recorded_by uuid;
comment on column lab_calls.recorded_by is
    'The node that recorded what became of the call. When it says the same again, because it did not hear that it was written, '
    'nothing is paid twice.';

alter table lab_nodes add column granted integer not null default 0;
comment on column lab_nodes.granted is
    'Calls that the node may have under way: what all nodes of a run are granted together is the run''s concurrency at most.';
alter table lab_nodes add constraint lab_nodes_granted check (granted between 0 and 200);
comment on constraint lab_nodes_granted on lab_nodes is 'No node is granted more than a run may make at once.';
