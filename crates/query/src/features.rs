use engine::Settings;
use promql::Options;

/// Flags that change the language; for all commands that evaluate queries.
#[derive(clap::Args, Clone, Debug, Default)]
pub struct FeatureArgs {
    /// Features off by default: promql-delayed-name-removal, use-start-timestamps, type-and-unit-labels. Repeatable, or a list with commas.
    #[arg(long = "enable-feature", value_name = "FEATURE", value_delimiter = ',', help_heading = "Query")]
    pub enable_feature: Vec<String>,
    /// Refuse functions and modifiers that Prometheus calls experimental.
    #[arg(
        long = "query.promql-disable-experimental",
        action = clap::ArgAction::SetTrue,
        help_heading = "Query"
    )]
    pub disable_experimental: bool,
}

/// What of the language is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// Functions, modifiers and duration expressions that may still change.
    pub experimental: bool,
    /// Names are dropped at the end of the query instead of by each function.
    pub delayed_name_removal: bool,
    /// Counters' start timestamps tell of resets.
    pub start_timestamps: bool,
    /// Counters are known by the label `__type__`.
    pub type_and_unit_labels: bool,
}

impl Default for Features {
    fn default() -> Self {
        Self { experimental: true, delayed_name_removal: false, start_timestamps: false, type_and_unit_labels: false }
    }
}

impl FeatureArgs {
    /// The features asked for. Names that Prometheus or Thanos know and that change nothing here are taken.
    #[must_use]
    pub fn features(&self) -> Features {
        let on = |name: &str| self.enable_feature.iter().any(|f| f.trim() == name);
        Features {
            experimental: !self.disable_experimental,
            delayed_name_removal: on("promql-delayed-name-removal"),
            start_timestamps: on("use-start-timestamps"),
            type_and_unit_labels: on("type-and-unit-labels"),
        }
    }
}

impl Features {
    pub(crate) fn parser(self) -> Options {
        if self.experimental { Options::default() } else { Options::stable() }
    }

    pub(crate) fn engine(self) -> Settings {
        Settings {
            delayed_name_removal: self.delayed_name_removal,
            start_timestamps: self.start_timestamps,
            type_and_unit_labels: self.type_and_unit_labels,
            ..Settings::default()
        }
    }
}
