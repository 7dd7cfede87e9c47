//! `label_replace` and `label_join`.

use model::{Labels, LabelsBuilder, METRIC_NAME};

use super::Run;
use crate::Error;
use crate::plan::{LabelJoin, LabelReplace};
use crate::vector::Vector;

impl Run<'_> {
    pub(super) fn label_replace(&mut self, replace: LabelReplace) -> Result<Vector, Error> {
        let mut vector = self.vector(replace.input)?;
        for head in &mut vector.series {
            let value = head.labels.get(&replace.source).unwrap_or("");
            let Some(new) = replace.regex.expand(value, &replace.replacement) else { continue };
            head.labels = with(&head.labels, &replace.target, &new);
            head.drop_name &= replace.target != METRIC_NAME;
        }
        vector.merged(self.cx.memory())
    }

    pub(super) fn label_join(&mut self, join: LabelJoin) -> Result<Vector, Error> {
        let mut vector = self.vector(join.input)?;
        for head in &mut vector.series {
            let values: Vec<&str> = join.sources.iter().map(|name| head.labels.get(name).unwrap_or("")).collect();
            let joined = values.join(&join.separator);
            head.labels = with(&head.labels, &join.target, &joined);
            head.drop_name &= join.target != METRIC_NAME;
        }
        vector.merged(self.cx.memory())
    }
}

fn with(labels: &Labels, name: &str, value: &str) -> Labels {
    let mut builder: LabelsBuilder = labels.iter().collect();
    builder.set(name, value);
    builder.build()
}
