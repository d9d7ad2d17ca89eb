//! What models cost.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use versioning::counts::Counts;

use crate::{ModelName, Provider};

/// What a model costs, in US dollars for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    /// For the prompt.
    pub input_usd_per_million: f64,
    /// For the answer.
    pub output_usd_per_million: f64,
}

impl Price {
    /// What so many tokens cost, in US dollars.
    #[expect(clippy::cast_precision_loss, reason = "tokens are far below 2^53")]
    pub fn cost(&self, input_tokens: u64, output_tokens: u64) -> f64 {
        (input_tokens as f64 * self.input_usd_per_million + output_tokens as f64 * self.output_usd_per_million) / 1e6
    }
}

/// What the known models cost.
///
/// A table is a CSV file with the columns `model`, `input_usd_per_million` and `output_usd_per_million`; lines that
/// begin with `#` are comments. The built-in one is `services/agents/prices.csv`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Prices {
    of: BTreeMap<ModelName, Price>,
}

/// Why a price table was not taken; fit for whoever runs the server.
#[derive(Debug, thiserror::Error)]
pub enum PricesError {
    /// A line that is no price.
    #[error("Line {line}: {message}")]
    Malformed {
        /// The line, counted from 1.
        line: u64,
        /// What is wrong and what would be right.
        message: String,
    },
    /// The file could not be read.
    #[error("The price table {} cannot be read: {source}.", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

impl PricesError {
    /// The line that is wrong, counted from 1.
    pub fn line(&self) -> Option<u64> {
        match self {
            Self::Malformed { line, .. } => Some(*line),
            Self::Unreadable { .. } => None,
        }
    }
}

const COLUMNS: [&str; 3] = ["model", "input_usd_per_million", "output_usd_per_million"];
const FREE: Price = Price { input_usd_per_million: 0.0, output_usd_per_million: 0.0 };

impl Prices {
    /// The table that Verbatim comes with: examples, to be checked against the providers' lists.
    pub fn built_in() -> Self {
        // A test reads it, so it cannot be malformed; without it, no model would have a price.
        Self::parse(include_str!("../prices.csv")).unwrap_or_default()
    }

    /// Reads a table.
    ///
    /// # Errors
    /// The first line that is wrong.
    pub fn parse(text: &str) -> Result<Self, PricesError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .comment(Some(b'#'))
            .trim(csv::Trim::All)
            .from_reader(text.as_bytes());
        let mut of = BTreeMap::new();
        let mut is_first = true;
        for record in reader.records() {
            let record = record.map_err(|error| PricesError::Malformed {
                line: error.position().map_or(1, csv::Position::line),
                message: "this is not CSV.".into(),
            })?;
            let malformed = |message: String| PricesError::Malformed {
                line: record.position().map_or(1, csv::Position::line),
                message,
            };
            if std::mem::take(&mut is_first) {
                if record != COLUMNS[..] {
                    return Err(malformed(format!("the first line names the columns: {}.", COLUMNS.join(","))));
                }
                continue;
            }
            let (model, price) = read_line(&record).map_err(malformed)?;
            if of.insert(model, price).is_some() {
                return Err(malformed(format!("{} has a price already.", &record[0])));
            }
        }
        if is_first {
            let message = format!("the table is empty. Its first line names the columns: {}.", COLUMNS.join(","));
            return Err(PricesError::Malformed { line: 1, message });
        }
        Ok(Self { of })
    }

    /// Reads a table from a file.
    ///
    /// # Errors
    /// When it cannot be read, or the first line that is wrong.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, PricesError> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path)
            .map_err(|source| PricesError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text)
    }

    /// What a model costs, if that is known. Models of Ollama run on a machine of one's own and cost nothing unless the
    /// table says otherwise; a dated snapshot costs what its model costs.
    pub fn of(&self, model: &ModelName) -> Option<Price> {
        let listed = self.of.get(model).or_else(|| {
            let undated = without_date(model.as_str())?;
            self.of.get(&undated.parse::<ModelName>().ok()?)
        });
        listed.copied().or_else(|| (model.provider() == Provider::Ollama).then_some(FREE))
    }

    /// The models of a provider that have a price, by name.
    pub fn models(&self, provider: Provider) -> impl Iterator<Item = &ModelName> {
        self.of.keys().filter(move |model| model.provider() == provider)
    }
}

fn read_line(record: &csv::StringRecord) -> Result<(ModelName, Price), String> {
    let [model, input, output] = record.iter().collect::<Vec<_>>()[..] else {
        return Err(format!("there are {} columns instead of {}.", record.len(), COLUMNS.len()));
    };
    let model: ModelName = model.parse().map_err(|invalid: crate::InvalidModelName| invalid.message)?;
    let dollars = |text: &str| match text.parse::<f64>() {
        Ok(dollars) if dollars.is_finite() && dollars >= 0.0 => Ok(dollars),
        _ => Err(format!("{text:?} is not an amount of dollars, such as 0.15.")),
    };
    Ok((model, Price { input_usd_per_million: dollars(input)?, output_usd_per_million: dollars(output)? }))
}

/// The name without the date of a snapshot: `-2024-08-06`, `-20250929` or `-latest`.
fn without_date(name: &str) -> Option<&str> {
    if let Some(undated) = name.strip_suffix("-latest") {
        return Some(undated);
    }
    [11, 9].into_iter().find_map(|length| {
        let (undated, date) = name.split_at_checked(name.len().checked_sub(length)?)?;
        let shape: String = date.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        ["-0000-00-00", "-00000000"].contains(&shape.as_str()).then_some(undated)
    })
}

/// About how many tokens a text is ([`Counts::tokens`]). Tokenisers differ by a fifth and more: fit for a forecast, not
/// for a bill.
pub fn estimate_tokens(text: &str) -> u64 {
    Counts::of(text).tokens.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "model,input_usd_per_million,output_usd_per_million\n";

    fn model(name: &str) -> ModelName {
        name.parse().unwrap()
    }

    fn refusal(lines: &str) -> (Option<u64>, String) {
        let error = Prices::parse(&format!("{HEAD}{lines}")).unwrap_err();
        (error.line(), error.to_string())
    }

    #[test]
    fn the_built_in_table_has_prices_of_every_paid_provider() {
        let prices = Prices::parse(include_str!("../prices.csv")).unwrap();
        assert_eq!(prices, Prices::built_in());
        for provider in [Provider::OpenAi, Provider::Anthropic, Provider::Gemini] {
            assert!(prices.models(provider).count() >= 3, "{provider}");
        }
        let mini = prices.of(&model("openai::gpt-4o-mini")).unwrap();
        assert_eq!(mini, Price { input_usd_per_million: 0.15, output_usd_per_million: 0.6 });
        assert!((mini.cost(1_000_000, 500_000) - 0.45).abs() < 1e-12);
    }

    #[test]
    fn a_snapshot_costs_what_its_model_costs() {
        let prices = Prices::parse(&format!("{HEAD}openai::gpt-4o,2,3\nopenai::gpt-4o-2024-05-13,5,6\n")).unwrap();
        let input = |name| prices.of(&model(name)).map(|price| price.input_usd_per_million);
        assert_eq!(input("openai::gpt-4o-2024-08-06"), Some(2.0));
        assert_eq!(input("openai::gpt-4o-20240806"), Some(2.0));
        assert_eq!(input("openai::gpt-4o-latest"), Some(2.0));
        assert_eq!(input("openai::gpt-4o-2024-05-13"), Some(5.0));
        assert_eq!(input("openai::gpt-4o-mini"), None);
        assert_eq!(input("compatible::gpt-4o"), None);
        assert_eq!(input("compatible::é-00000000"), None);
    }

    #[test]
    fn ollama_is_free_unless_it_is_listed() {
        let prices = Prices::parse(&format!("{HEAD}ollama::big,1,2\n")).unwrap();
        assert_eq!(prices.of(&model("ollama::llama3.2")), Some(FREE));
        assert_eq!(prices.of(&model("ollama::big")).unwrap().output_usd_per_million, 2.0);
        assert_eq!(prices.of(&model("compatible::llama3.2")), None);
    }

    #[test]
    fn the_line_that_is_wrong_is_named() {
        let (line, message) = refusal("# a comment\n\nopenai::a,1,2\nopenai::b,1,free\n");
        assert_eq!(line, Some(5));
        assert!(message.starts_with("Line 5: \"free\""), "{message}");
        assert_eq!(refusal("openai::a,1\n"), (Some(2), "Line 2: there are 2 columns instead of 3.".into()));
        assert_eq!(refusal("openai::a,1,2\nopenai::a,1,2\n").0, Some(3));
        assert!(refusal("gpt,1,2\n").1.contains("names no provider"));
        for amount in ["-1", "NaN", "inf", ""] {
            assert!(refusal(&format!("openai::a,{amount},1\n")).1.contains("amount of dollars"), "{amount}");
        }
    }

    #[test]
    fn the_columns_are_asked_for() {
        for text in ["", "# nothing\n", "openai::a,1,2\n", "model,input,output\n"] {
            let error = Prices::parse(text).unwrap_err();
            assert!(error.to_string().contains("input_usd_per_million"), "{text:?}: {error}");
        }
        assert!(Prices::parse(&format!("\u{feff}{HEAD}")).is_ok());
    }

    #[test]
    fn a_file_is_read_or_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prices.csv");
        let error = Prices::read(&path).unwrap_err();
        assert!(error.to_string().contains("prices.csv") && error.line().is_none(), "{error}");
        std::fs::write(&path, format!("{HEAD}compatible::mine,1,2\r\n")).unwrap();
        assert!(Prices::read(&path).unwrap().of(&model("compatible::mine")).is_some());
    }

    #[test]
    fn tokens_are_estimated_as_everywhere_else() {
        assert_eq!(estimate_tokens(""), 0);
        assert_eq!(estimate_tokens("Be brief."), 3);
    }
}
