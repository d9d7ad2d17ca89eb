-- Blind review ends once: what was voted is hidden until then, and stays as it is from then on. Were votes shown earlier, people
-- could vote, or be asked to vote, until the result is the one that somebody wants.

alter table lab_runs add column review_ended_at timestamptz;
comment on column lab_runs.review_ended_at is 'When the blind review was ended; none while people may vote, and nobody sees how it stands.';
alter table lab_runs add constraint lab_runs_review check (review_ended_at is null or status <> 'running');
comment on constraint lab_runs_review on lab_runs is 'Nothing is reviewed before all answers are there.';

create function lab_runs_keep_review() returns trigger language plpgsql as $$
begin
    if old.review_ended_at is not null then
        raise exception 'the review of run % has ended', old.id
            using errcode = 'check_violation', constraint = 'lab_runs_review_final', table = 'lab_runs';
    end if;
    return new;
end $$;

comment on function lab_runs_keep_review is 'A review that has ended is not opened again: its votes were seen.';

create trigger lab_runs_review_final before update of review_ended_at on lab_runs
    for each row execute function lab_runs_keep_review();

create function lab_votes_before_end() returns trigger language plpgsql as $$
declare
    ended timestamptz;
begin
    -- The lock makes a vote wait for whoever ends the review at this moment, and that for the vote.
    select review_ended_at into ended from lab_runs where id = coalesce(new.run_id, old.run_id) for share;
    if ended is not null then
        raise exception 'the review of run % has ended', coalesce(new.run_id, old.run_id)
            using errcode = 'check_violation', constraint = 'lab_votes_final', table = 'lab_votes';
    end if;
    return coalesce(new, old);
end $$;

comment on function lab_votes_before_end is 'Whoever votes has not seen what came out.';

create trigger lab_votes_final before insert or update or delete on lab_votes
    for each row execute function lab_votes_before_end();

comment on constraint lab_votes_pkey on lab_votes is
    'One vote a reviewer and pair; until the review ends, a second thought replaces the first.';
