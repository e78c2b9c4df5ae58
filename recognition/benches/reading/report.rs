//! The figures as tables in Markdown.

use std::fmt::Write;

use crate::score::Score;

/// The ways to read the same pages.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) tesseract: Score,
    /// Pagemill with Tesseract's engine; without pages where only one engine was asked for.
    pub(crate) with_tesseract: Score,
    pub(crate) pagemill: Score,
}

impl Report {
    /// Pagemill with the engine that was asked for, and beside it with Tesseract's.
    fn ours(&self) -> impl Iterator<Item = (&'static str, &Score)> {
        let both = [("Pagemill, Tesseract's engine", &self.with_tesseract), ("Pagemill", &self.pagemill)];
        both.into_iter().filter(|(_, score)| score.pages > 0)
    }

    /// All figures of a corpus; `without` names the steps that were left out.
    pub(crate) fn corpus(&self, without: &[String]) -> String {
        let mut table = format!("{} pages", self.pagemill.pages);
        for step in without {
            let _ = write!(table, ", without {step}");
        }
        table.push_str(
            "\n\n| | CPU s/page | CER | CER plain | CER tables | CER without accents | WER | word F1 | cells | peak MiB |\n\
             | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
        );
        let theirs = Some(("tesseract", &self.tesseract)).filter(|(_, score)| score.pages > 0);
        for (name, score) in theirs.into_iter().chain(self.ours()) {
            let _ = writeln!(
                table,
                "| {name} | {:.3} | {:.2} % | {:.2} % | {:.2} % | {:.2} % | {:.2} % | {:.2} | {:.1} % | {:.0} |",
                score.cpu_per_page(),
                score.cer.percent(),
                score.cer_plain.percent(),
                score.cer_tables.percent(),
                score.cer_no_accents.percent(),
                score.wer.percent(),
                score.word_f1(),
                100.0 - score.cells.percent(),
                score.memory_mib,
            );
        }
        if theirs.is_some() {
            for (name, score) in self.ours() {
                let ratio = score.cpu_seconds / self.tesseract.cpu_seconds;
                let _ = writeln!(table, "\nCPU of {name}: {ratio:.2} × that of `tesseract`.");
            }
        }
        self.stages(&mut table);
        self.reliability(&mut table);
        table
    }

    fn stages(&self, table: &mut String) {
        for (name, score) in self.ours() {
            let _ = writeln!(table, "\n| stage ({name}) | ms/page |\n| --- | --- |");
            for (stage, ms) in
                ["clean-up", "orientation", "layout", "recognition"].iter().zip(score.stages_ms)
            {
                let _ = writeln!(table, "| {stage} | {:.0} |", f64::from(ms) / score.pages.max(1) as f64);
            }
        }
    }

    /// Of words said to be so sure, how many are right.
    pub(crate) fn reliability(&self, table: &mut String) {
        table.push_str("\n| confidence | words | mean confidence | right |\n| --- | --- | --- | --- |\n");
        for (bin, (words, right, sum)) in self.pagemill.reliability.iter().enumerate() {
            if *words > 0 {
                let (count, from) = (*words as f64, bin * 5);
                let mean = *sum as f64 / count;
                let _ = writeln!(
                    table,
                    "| {from}– | {words} | {mean:.1} % | {:.1} % |",
                    100.0 * *right as f64 / count
                );
            }
        }
    }
}

/// The pages that the bench made, kind by kind: of `tesseract`, of Pagemill with Tesseract's engine, and of Pagemill.
/// Pages without text have no error rate: letters that were made up are counted.
pub(crate) fn by_kind(kinds: &[(&str, Report)]) -> String {
    let mut table = String::from(
        "| kind | CER: tesseract | Pagemill, Tesseract's engine | Pagemill | cells: tesseract | Pagemill, Tesseract's engine | Pagemill \
         | CPU s/page: tesseract | Pagemill, Tesseract's engine | Pagemill |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for (kind, report) in kinds {
        let all = [&report.tesseract, &report.with_tesseract, &report.pagemill];
        let row = |shown: &dyn Fn(&Score) -> String| {
            all.map(|score| if score.pages > 0 { shown(score) } else { "–".into() }).join(" | ")
        };
        let cells = |score: &Score| {
            if score.cells.is_of_nothing() {
                "–".into()
            } else {
                format!("{:.0} %", 100.0 - score.cells.percent())
            }
        };
        let cpu = |score: &Score| format!("{:.2}", score.cpu_per_page());
        let _ = writeln!(
            table,
            "| {kind} | {} | {} | {} |",
            row(&|score| score.cer.shown()),
            row(&cells),
            row(&cpu),
        );
    }
    table
}

/// What a step is worth: the figures of Pagemill without it.
pub(crate) fn ablation(rows: &[(String, Report)]) -> String {
    let mut table = String::from(
        "| without | CER | CER plain | CER tables | cells | CPU s/page |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    for (step, report) in rows {
        let score = &report.pagemill;
        let _ = writeln!(
            table,
            "| {step} | {:.2} % | {:.2} % | {:.2} % | {:.1} % | {:.3} |",
            score.cer.percent(),
            score.cer_plain.percent(),
            score.cer_tables.percent(),
            100.0 - score.cells.percent(),
            score.cpu_per_page(),
        );
    }
    table
}
