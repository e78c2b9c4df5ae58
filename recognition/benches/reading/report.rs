//! The figures as tables in Markdown.

use std::fmt::Write;

use crate::score::Score;

/// Both ways to read the same pages.
#[derive(Default)]
pub(crate) struct Report {
    pub(crate) tesseract: Score,
    pub(crate) pagemill: Score,
}

impl Report {
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
        for (name, score) in [("tesseract", &self.tesseract), ("Pagemill", &self.pagemill)] {
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
        let ratio = self.pagemill.cpu_seconds / self.tesseract.cpu_seconds.max(f64::MIN_POSITIVE);
        let _ = writeln!(table, "\nCPU: {ratio:.2} × Tesseract's.");
        self.stages(&mut table);
        self.reliability(&mut table);
        table
    }

    fn stages(&self, table: &mut String) {
        table.push_str("\n| stage | ms/page |\n| --- | --- |\n");
        for (name, ms) in
            ["clean-up", "orientation", "layout", "recognition"].iter().zip(self.pagemill.stages_ms)
        {
            let _ = writeln!(table, "| {name} | {:.0} |", f64::from(ms) / self.pagemill.pages.max(1) as f64);
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

/// The harder pages, kind by kind. Pages without text have no error rate: letters that were made up are counted.
pub(crate) fn by_kind(kinds: &[(&str, Report)]) -> String {
    let mut table = String::from(
        "| kind | CER tesseract | CER Pagemill | cells tesseract | cells Pagemill | CPU s/page tesseract | CPU s/page Pagemill |\n\
         | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for (kind, report) in kinds {
        let (theirs, ours) = (&report.tesseract, &report.pagemill);
        let cells = |score: &Score| {
            if score.cells.is_of_nothing() {
                "–".into()
            } else {
                format!("{:.0} %", 100.0 - score.cells.percent())
            }
        };
        let _ = writeln!(
            table,
            "| {kind} | {} | {} | {} | {} | {:.2} | {:.2} |",
            theirs.cer.shown(),
            ours.cer.shown(),
            cells(theirs),
            cells(ours),
            theirs.cpu_per_page(),
            ours.cpu_per_page(),
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
