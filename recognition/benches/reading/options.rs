//! What the command line asks for.

use std::error::Error;
use std::path::PathBuf;

use pagemill_domain::recipe::{CleanUp, EngineChoice};

/// Options of the bench.
pub(crate) struct Options {
    /// Steps of the recipe's `clean_up` to be left out.
    pub(crate) without: Vec<String>,
    /// Each step left out in turn.
    pub(crate) ablation: bool,
    /// The time of each step, in place of reading.
    pub(crate) steps: bool,
    pub(crate) pages_max: usize,
    /// Each page whose number divides by this, from 0.
    pub(crate) every: usize,
    pub(crate) write: Option<PathBuf>,
    /// Debug pictures and texts go there.
    pub(crate) pictures: Option<PathBuf>,
    /// Which engine reads for Pagemill.
    pub(crate) engine: EngineChoice,
    /// Only the corpus, the harder set, or the English one.
    pub(crate) set: Option<String>,
    /// Only harder pages whose kind's name holds this.
    pub(crate) kind: Option<String>,
    /// Without Tesseract's own program.
    pub(crate) alone: bool,
}

impl Options {
    pub(crate) fn parse() -> Result<Self, Box<dyn Error>> {
        let mut options = Self {
            without: Vec::new(),
            ablation: false,
            steps: false,
            pages_max: usize::MAX,
            every: 1,
            write: None,
            pictures: None,
            engine: EngineChoice::default(),
            set: None,
            kind: None,
            alone: false,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
            match argument.as_str() {
                "--without" => options.without.push(value()?),
                "--ablation" => options.ablation = true,
                "--steps" => options.steps = true,
                "--every" => options.every = value()?.parse::<std::num::NonZero<usize>>()?.get(),
                "--pages" => options.pages_max = value()?.parse()?,
                "--write" => options.write = Some(value()?.into()),
                "--pictures" => options.pictures = Some(value()?.into()),
                "--engine" => options.engine = serde_json::from_value(value()?.into())?,
                "--set" => options.set = Some(value()?),
                "--kind" => options.kind = Some(value()?),
                "--alone" => options.alone = true,
                // Cargo's own.
                "--bench" => {}
                other => return Err(format!("{other}: not an option").into()),
            }
        }
        Ok(options)
    }

    pub(crate) fn wants(&self, set: &str) -> bool {
        self.set.as_ref().is_none_or(|wanted| wanted == set)
    }
}

/// All steps but those named.
pub(crate) fn clean_up(without: &[String]) -> Result<CleanUp, Box<dyn Error>> {
    let mut steps = serde_json::to_value(CleanUp::default())?;
    for step in without {
        let switch = steps.get_mut(step).ok_or(format!("{step} is no step of the recipe's clean_up"))?;
        *switch = false.into();
    }
    Ok(serde_json::from_value(steps)?)
}

/// The names of all steps.
pub(crate) fn steps() -> Result<Vec<String>, Box<dyn Error>> {
    let steps = serde_json::to_value(CleanUp::default())?;
    Ok(steps.as_object().map(|steps| steps.keys().cloned().collect()).unwrap_or_default())
}
