//! The A/B testing lab: two versions of a prompt on the same test cases, and what may be concluded from the answers.
//!
//! So far it holds the [`statistics`]: pure functions from paired results to p-values, intervals and a verdict. They read no
//! clock, no file and no database, and what is drawn at random is drawn from a seed: the same results give the same verdict on
//! every machine. Test cases, runs and judges come on top of them.
//!
//! Start reading at [`statistics`], then `statistics::evidence` and `statistics::verdict`.

pub mod statistics;
