//! Sources whose pages go to many workers: nobody fetches the whole for a few pages.

use image::GrayImage;
use pagemill_tests::cluster::{Cluster, Services, Worker};
use pagemill_tests::{Workplace, assert_balanced, bundles, scans};

use crate::FLAGS;

/// Pages of each source; all but the first are empty, so that a run takes seconds.
const PAGES: u32 = 12;

pub(crate) const SIZE: (u32, u32) = (1_240, 600);

/// What a map weighs at most, with what the pages share: their edges above all, which are fetched again where they stand
/// between two pages.
const MAP_BYTES_MAX: u64 = PAGES as u64 * (9 << 10);

/// Paper with a grain that is different on each page.
pub(crate) fn paper(page: u32) -> GrayImage {
    let grain = |x: u32, y: u32| (x * 7 + y * 13 + x * y * (page + 2)) % 5;
    GrayImage::from_fn(SIZE.0, SIZE.1, |x, y| image::Luma([246 + grain(x, y) as u8]))
}

/// The pages: some lines of text on the first, and on the others nothing.
pub(crate) fn pages() -> Vec<GrayImage> {
    let mut first = paper(0);
    let strip = image::load_from_memory(&scans::strip("d02-1", 2)).unwrap().to_luma8();
    image::imageops::overlay(&mut first, &strip, 0, 90);
    std::iter::once(first).chain((1..PAGES).map(paper)).collect()
}

/// What a worker did with the source.
#[derive(Debug)]
struct Done {
    inspected: u64,
    read: u64,
    assembled: u64,
    fetched: u64,
}

impl Done {
    fn by(worker: &Worker) -> Self {
        let attempts = |stage: &str, result: &str| {
            let name =
                format!("pagemill_attempts_total{{reason=\"\",result=\"{result}\",stage=\"{stage}\"}}");
            worker.figure(&name).unwrap_or(0.0) as u64
        };
        Self {
            inspected: attempts("inspect", "done"),
            read: attempts("recognise", "done") + attempts("recognise", "blank"),
            assembled: attempts("assemble", "done"),
            fetched: worker.figure("pagemill_source_bytes_fetched_total").unwrap() as u64,
        }
    }

    /// The most that it may have fetched for that of a source of so many bytes, whose pages take these.
    fn bytes_max(&self, source: u64, pages: &[u64]) -> u64 {
        match (self.inspected, self.assembled) {
            (0, 0) => {
                let mut largest = pages.to_vec();
                largest.sort_unstable_by(|one, other| other.cmp(one));
                largest.iter().take(self.read as usize).sum::<u64>() + self.read.min(1) * 2 * MAP_BYTES_MAX
            }
            // Its pages are not fetched again for the document.
            (0, _) => source + 2 * MAP_BYTES_MAX,
            // It has the whole, and keeps it.
            (inspections, _) => inspections * source,
        }
    }
}

/// Runs a job of one source on a cluster of its own, and holds it against the same run without a cluster.
fn run(name: &str, source: &[u8], page_bytes: &[u64]) {
    let workplace = Workplace::with([(name, source.to_vec())]);
    let mut cluster = Cluster::start(Services::shared(), 1, 0);
    for _ in 0..3 {
        cluster.add_worker_in(&[], |command| {
            command.env("PAGEMILL_LIMITS__MAPPED_SOURCE_BYTES_MIN", "1");
        });
    }
    cluster.submit(&workplace, name, &FLAGS).finish(&cluster).expect_exit(0);
    let undisturbed = Workplace::with([(name, source.to_vec())]);
    undisturbed.ocr(&FLAGS).expect_exit(0);
    assert_eq!(workplace.artifacts(), undisturbed.artifacts());
    assert_eq!(workplace.report()["ledger"], undisturbed.report()["ledger"]);
    let counts = assert_balanced(&workplace.report());
    assert_eq!((&counts["recognised"], &counts["blank"]), (&1.into(), &(PAGES - 1).into()), "{counts}");

    let bytes = source.len() as u64;
    let done: Vec<Done> = cluster.workers.iter().map(Done::by).collect();
    for (worker, done) in cluster.workers.iter().zip(&done) {
        assert!(
            done.fetched <= done.bytes_max(bytes, page_bytes),
            "{}: {done:?} of {bytes} bytes\n{}",
            worker.name,
            cluster.logs()
        );
    }
    assert!(done.iter().map(|done| done.fetched).sum::<u64>() >= bytes, "somebody has inspected it");
}

#[test]
fn no_worker_of_a_cluster_fetches_all_of_a_source_for_some_of_its_pages() {
    let jpegs: Vec<_> = pages().iter().map(|page| (scans::jpeg(page), SIZE.0, SIZE.1)).collect();
    let page_bytes: Vec<u64> = jpegs.iter().map(|(jpeg, ..)| jpeg.len() as u64).collect();
    run("large.pdf", &bundles::pdf(&jpegs), &page_bytes);
    run("large.tif", &bundles::tiff(&pages()), &[u64::from(SIZE.0 * SIZE.1); PAGES as usize]);
}
