//! The memory that a reader asks for follows from the file's size, not from numbers in the file. This binary has one test only, because the
//! allocator counts the memory of all threads.

use std::{fs, path::Path};

use mrl_fuzz::{TARGETS, Target};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// The bytes that a reader of `target` may allocate for a file of this many.
fn most(target: &str, length: usize) -> f64 {
    let of_file = 64.0 * length as f64;
    match target {
        // As many pixels as the header says, up to the limit of `--max-megapixels`: 4 bytes for each, and 3 for the result.
        "image" => 1e9,
        // A page says how large it becomes: the largest took 65 MB.
        "parquet" => 80e6 + of_file,
        // The fonts of charts take 39 MB.
        "report" => 50e6 + of_file,
        _ => 8e6 + of_file,
    }
}

/// Numbers that claim much.
const CLAIMS: [&[u8]; 6] = [
    &[0xff, 0xff, 0xff, 0x7f],
    &[0x7f, 0xff, 0xff, 0xff],
    &[0, 0, 0, 0, 1, 0, 0, 0],
    &[0, 0, 0, 0, 0, 0, 0, 1],
    b"99999999999",
    // As a varint.
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0x07],
];

/// Bytes at both ends of a file that claims are written over: headers lie there.
const HEADER: usize = 400;

fn check(target: &Target, bytes: &[u8], about: &str) {
    let before = MEMORY.current_usage() as f64;
    MEMORY.reset_peak_usage();
    (target.run)(bytes);
    let taken = MEMORY.peak_usage() as f64 - before;
    assert!(
        taken <= most(target.name, bytes.len()),
        "{}: {about} of {} bytes took {taken:.0} bytes",
        target.name,
        bytes.len()
    );
}

#[test]
fn no_claim_of_a_file_is_believed_before_its_bytes_are_there() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let step = if mrl_testing::scaled(100) < 100 { 19 } else { 1 };
    for target in &TARGETS {
        let mut files: Vec<_> =
            fs::read_dir(corpus.join(target.name)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        for file in files {
            let bytes = fs::read(&file).unwrap();
            let about = file.display().to_string();
            check(target, &bytes, &about);
            let is_header = |&place: &usize| place < HEADER || place + HEADER >= bytes.len();
            for place in (0..bytes.len()).filter(is_header).step_by(step) {
                for claim in CLAIMS {
                    let mut claiming = bytes.clone();
                    let end = bytes.len().min(place + claim.len());
                    claiming[place..end].copy_from_slice(&claim[..end - place]);
                    check(target, &claiming, &format!("{about} with {claim:x?} at {place}"));
                }
            }
        }
    }
}
