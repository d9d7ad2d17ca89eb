//! Results, case by case.

use std::{collections::BTreeMap, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use versioning::InvalidInput;

use crate::{
    AnswerRecord, Lab, LabError, PairOpinion, Side, Vote,
    cases::TestCase,
    checks::{Pick, Preference, reconcile},
    store::PairRow,
};

/// Which cases are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ResultFilter {
    /// All of them.
    #[default]
    All,
    /// One side passes and the other does not, or their scores differ.
    Differs,
    /// A fails in a repeat at least.
    AFails,
    /// B fails in a repeat at least.
    BFails,
    /// The judge's preference flipped with the order.
    Flipped,
}

impl ResultFilter {
    /// All filters, in the order in which they are offered.
    pub const EVERY: [Self; 5] = [Self::All, Self::Differs, Self::AFails, Self::BFails, Self::Flipped];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Differs => "differs",
            Self::AFails => "a_fails",
            Self::BFails => "b_fails",
            Self::Flipped => "flipped",
        }
    }
}

impl FromStr for ResultFilter {
    type Err = InvalidInput;

    fn from_str(text: &str) -> Result<Self, InvalidInput> {
        Self::EVERY.into_iter().find(|filter| filter.as_str() == text).ok_or_else(|| {
            let names: Vec<_> = Self::EVERY.iter().map(|filter| filter.as_str()).collect();
            InvalidInput::new(
                "filter",
                "unknown_filter",
                format!("{text:?} is not a filter. Choose one of {}.", names.join(", ")),
            )
        })
    }
}

/// A page of results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Results {
    /// How many cases the filter lets through, on all pages.
    pub total: u32,
    /// Which page it is, from 1.
    pub page: u32,
    /// How many pages there are, at least 1.
    pub pages: u32,
    /// The cases of this page.
    pub cases: Vec<CaseResult>,
}

/// What became of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CaseResult {
    /// Its number in the run, from 1.
    pub number: u32,
    /// The case as it was when the run began.
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub test_case: TestCase,
    /// Its repeats, in order.
    pub repeats: Vec<RepeatResult>,
}

/// What became of asking both versions once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RepeatResult {
    /// Which repeat, from 1.
    pub repeat: u32,
    /// The answer of A.
    pub a: Option<AnswerRecord>,
    /// The answer of B.
    pub b: Option<AnswerRecord>,
    /// What the pairwise judge said, if it was asked and answered in both orders.
    pub pair: Option<PairOpinion>,
}

/// All that is known of a run's answers, without their texts.
pub(crate) struct Collected {
    pub cases: Vec<TestCase>,
    pub answers: BTreeMap<(u32, u32, Side), AnswerRecord>,
    pub pairs: BTreeMap<(u32, u32), PairOpinion>,
}

impl Lab {
    /// The results of a run, case by case, `per_page` on a page.
    ///
    /// # Errors
    /// There is no such run, or the database is away.
    pub async fn results(&self, id: Uuid, filter: ResultFilter, page: u32, per_page: u32) -> Result<Results, LabError> {
        self.run(id).await?;
        let collected = self.collect(id).await?;
        let all = u32::try_from(collected.cases.len()).unwrap_or(u32::MAX);
        let shown: Vec<u32> = (1..=all).filter(|case| collected.lets_through(*case, filter)).collect();
        let total = u32::try_from(shown.len()).unwrap_or(u32::MAX);
        let pages = total.div_ceil(per_page.max(1)).max(1);
        let page = page.clamp(1, pages);
        let skipped = usize::try_from((page - 1) * per_page).unwrap_or(usize::MAX);
        let shown: Vec<u32> =
            shown.into_iter().skip(skipped).take(usize::try_from(per_page).unwrap_or(usize::MAX)).collect();
        let mut texts = BTreeMap::new();
        if let (Some(first), Some(last)) = (shown.first(), shown.last()) {
            for answer in self.store.answers(id, Some(*first..=*last)).await? {
                texts.insert((answer.case_number, answer.repeat, answer.side), answer);
            }
        }
        let cases = shown.into_iter().map(|number| collected.case_result(number, &texts)).collect();
        Ok(Results { total, page, pages, cases })
    }

    /// All that is known of a run's answers, without their texts.
    pub(crate) async fn collect(&self, id: Uuid) -> Result<Collected, LabError> {
        let cases = self.store.run_cases(id).await?;
        let answers = self.store.answers(id, None).await?;
        let pairs = self.store.pairs(id).await?;
        Ok(Collected {
            cases,
            answers: answers
                .into_iter()
                .map(|answer| ((answer.case_number, answer.repeat, answer.side), answer))
                .collect(),
            pairs: opinions(pairs),
        })
    }
}

impl Collected {
    /// The answers of a side to a case, repeat by repeat.
    pub(crate) fn of(&self, case: u32, side: Side) -> impl Iterator<Item = &AnswerRecord> {
        self.answers
            .range((case, 0, Side::A)..=(case, u32::MAX, Side::M))
            .map(|(_, answer)| answer)
            .filter(move |answer| answer.side == side)
    }

    fn lets_through(&self, case: u32, filter: ResultFilter) -> bool {
        let fails = |side| self.of(case, side).any(|answer| answer.passed == Some(false));
        match filter {
            ResultFilter::All => true,
            ResultFilter::AFails => fails(Side::A),
            ResultFilter::BFails => fails(Side::B),
            ResultFilter::Flipped => self.pairs.range((case, 0)..=(case, u32::MAX)).any(|(_, pair)| pair.flipped),
            ResultFilter::Differs => self.of(case, Side::A).any(|a| {
                self.answers
                    .get(&(case, a.repeat, Side::B))
                    .is_some_and(|b| (a.passed, a.score, &a.status) != (b.passed, b.score, &b.status))
            }),
        }
    }

    fn case_result(&self, number: u32, texts: &BTreeMap<(u32, u32, Side), AnswerRecord>) -> CaseResult {
        let place = usize::try_from(number - 1).unwrap_or(usize::MAX);
        let mut repeats: Vec<u32> = self.of(number, Side::A).map(|answer| answer.repeat).collect();
        repeats.dedup();
        CaseResult {
            number,
            test_case: self.cases[place].clone(),
            repeats: repeats
                .into_iter()
                .map(|repeat| RepeatResult {
                    repeat,
                    a: texts.get(&(number, repeat, Side::A)).cloned(),
                    b: texts.get(&(number, repeat, Side::B)).cloned(),
                    pair: self.pairs.get(&(number, repeat)).cloned(),
                })
                .collect(),
        }
    }
}

/// Both opinions of the judge on each pair, reconciled. A pair that it was asked about once only has none.
fn opinions(rows: Vec<PairRow>) -> BTreeMap<(u32, u32), PairOpinion> {
    // With A first, and with B first.
    type Both = [Option<(Pick, String)>; 2];
    let mut said: BTreeMap<(u32, u32), Both> = BTreeMap::new();
    for row in rows {
        said.entry((row.case_number, row.repeat)).or_default()[usize::from(!row.a_first)] =
            Some((row.pick, row.reason));
    }
    said.into_iter()
        .filter_map(|(key, both)| {
            let [Some((a_first, one)), Some((b_first, other))] = both else { return None };
            let (preference, flipped) = reconcile(a_first, b_first);
            let preference = match preference {
                Preference::A => Vote::A,
                Preference::B => Vote::B,
                Preference::Tie => Vote::Tie,
            };
            Some((key, PairOpinion { preference, flipped, reasons: vec![one, other] }))
        })
        .collect()
}
