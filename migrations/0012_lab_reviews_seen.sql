-- Reviews that nobody ended, because they were over before a review could be ended: their votes were shown, and their verdicts.

-- Every pair has a vote, so the verdict stays what it was. A review that lacks some goes on.
update lab_runs run set review_ended_at = (select max(voted_at) from lab_votes where run_id = run.id)
    where status <> 'running' and review_ended_at is null
        and exists (select from lab_votes where run_id = run.id)
        and not exists (
            select from lab_calls a join lab_calls b using (run_id, kind, case_number, repeat, status)
            where run_id = run.id and kind = 'answer' and status = 'answered' and a.side = 'a' and b.side = 'b'
                and a.answer <> b.answer
                and not exists (
                    select from lab_votes vote
                    where (vote.run_id, vote.case_number, vote.repeat) = (a.run_id, a.case_number, a.repeat)
                )
        );

-- A vote is not carried away from a run either.
create or replace function lab_votes_before_end() returns trigger language plpgsql as $$
declare
    run record;
begin
    -- The lock makes a vote wait for whoever ends the review at this moment, and that for the vote. What is read is filtered
    -- here, because a filter in the statement would see the run as it was before the wait.
    for run in select id, review_ended_at from lab_runs where id in (new.run_id, old.run_id) order by id for share loop
        if run.review_ended_at is not null then
            raise exception 'the review of run % has ended', run.id
                using errcode = 'check_violation', constraint = 'lab_votes_final', table = 'lab_votes';
        end if;
    end loop;
    return coalesce(new, old);
end $$;
