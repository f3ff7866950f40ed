//! The memory that a reader asks for follows from the file's size, not from numbers in the file. The only test of its program, for the
//! allocator counts all threads.

use std::{fs, path::Path};

use mrl_fuzz::{TARGETS, Target};
use peak_alloc::PeakAlloc;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What a reader may take whatever the file is, in bytes. A page of Parquet took 65 MB, the fonts of charts 39 MB.
const ALWAYS: f64 = 80e6;
/// And for each byte of the file. Compressed columns and texts become larger.
const PER_BYTE: f64 = 256.0;
/// An image has as many pixels as its header says, up to a limit of its own (`--max-megapixels`): 4 bytes for each, and 3 for the result.
const LARGEST_IMAGE: f64 = 1e9;

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
    let most = if target.name == "image" { LARGEST_IMAGE } else { ALWAYS + PER_BYTE * bytes.len() as f64 };
    assert!(taken <= most, "{}: {about} of {} bytes took {taken:.0} bytes", target.name, bytes.len());
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
