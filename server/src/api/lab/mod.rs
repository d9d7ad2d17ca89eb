//! `/api/v1/lab`: test cases, runs, results and winners, so that a CI job can run an experiment.

pub(super) mod cases;
pub(super) mod read;
pub(super) mod results;
pub(super) mod runs;
pub(super) mod sets;
pub(super) mod wire;
