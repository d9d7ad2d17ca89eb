//! Results, case by case.

use std::{collections::BTreeMap, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use versioning::InvalidInput;

use crate::{
    AnswerRecord, Lab, LabError, PairOpinion, Run, Side, Vote,
    cases::TestCase,
    checks::{Pick, Preference, reconcile},
    store::{CaseFlags, PairRow, Read, Unjudged},
};

/// Which cases are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ResultFilter {
    /// All of them.
    #[default]
    All,
    /// One side passes and the other does not, or a check scores them differently.
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
#[derive(Default)]
pub(crate) struct Collected {
    pub cases: Vec<TestCase>,
    pub answers: BTreeMap<(u32, u32, Side), AnswerRecord>,
    pub pairs: BTreeMap<(u32, u32), PairOpinion>,
    /// The pairs that people can choose between, by case and repeat.
    pub reviewable: Arc<Vec<(u32, u32)>>,
    /// What a judge was to be asked about when the run ended, and was not.
    pub unjudged: Unjudged,
}

impl Lab {
    /// The results of a run, case by case, `per_page` on a page. Texts are read for the cases of the page alone.
    ///
    /// # Errors
    /// There is no such run, or the database is away.
    pub async fn results(&self, id: Uuid, filter: ResultFilter, page: u32, per_page: u32) -> Result<Results, LabError> {
        let run = self.run(id).await?;
        let let_through: Vec<u32> = match filter {
            ResultFilter::All => (1..=self.store.run_case_count(id).await?).collect(),
            _ => {
                let flags = self.kept.flags(&run, self.store.case_flags(id)).await?;
                (1..)
                    .zip(flags.iter())
                    .filter(|(_, flags)| lets_through(filter, **flags))
                    .map(|(case, _)| case)
                    .collect()
            }
        };
        let total = u32::try_from(let_through.len()).unwrap_or(u32::MAX);
        let per_page = per_page.max(1);
        let pages = total.div_ceil(per_page).max(1);
        let page = page.clamp(1, pages);
        let place = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        let shown: Vec<u32> =
            let_through.into_iter().skip(place((page - 1) * per_page)).take(place(per_page)).collect();
        let test_cases = self.store.run_cases_of(id, &shown).await?;
        let mut repeats: BTreeMap<(u32, u32), RepeatResult> = BTreeMap::new();
        for answer in self.store.answers(id, Read::These(&shown)).await? {
            let key = (answer.case_number, answer.repeat);
            let repeat = repeats.entry(key).or_insert(RepeatResult { repeat: key.1, a: None, b: None, pair: None });
            match answer.side {
                Side::A => repeat.a = Some(answer),
                Side::B => repeat.b = Some(answer),
                Side::N | Side::M => {}
            }
        }
        for (key, opinion) in opinions(self.store.pairs(id, Some(&shown)).await?) {
            if let Some(repeat) = repeats.get_mut(&key) {
                repeat.pair = Some(opinion);
            }
        }
        let mut cases: Vec<CaseResult> = test_cases
            .into_iter()
            .map(|(number, test_case)| CaseResult { number, test_case, repeats: Vec::new() })
            .collect();
        for ((number, _), repeat) in repeats {
            if let Ok(place) = cases.binary_search_by_key(&number, |case| case.number) {
                cases[place].repeats.push(repeat);
            }
        }
        Ok(Results { total, page, pages, cases })
    }

    /// All that is known of a run's answers, without their texts.
    pub(crate) async fn collect(&self, run: &Run) -> Result<Collected, LabError> {
        let id = run.id;
        let cases = self.store.run_cases(id).await?;
        let answers = self.store.answers(id, Read::AllWithoutTexts).await?;
        let pairs = self.store.pairs(id, None).await?;
        let reviewable = self.reviewable(run).await?;
        let unjudged = self.store.unjudged(id).await?;
        Ok(Collected {
            cases,
            reviewable,
            unjudged,
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
}

fn lets_through(filter: ResultFilter, flags: CaseFlags) -> bool {
    match filter {
        ResultFilter::All => true,
        ResultFilter::Differs => flags.differs,
        ResultFilter::AFails => flags.a_fails,
        ResultFilter::BFails => flags.b_fails,
        ResultFilter::Flipped => flags.flipped,
    }
}

/// Both opinions of the judge on each pair, reconciled. A pair that it was asked about once only has none.
pub(crate) fn opinions(rows: Vec<PairRow>) -> BTreeMap<(u32, u32), PairOpinion> {
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
