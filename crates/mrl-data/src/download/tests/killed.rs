//! A download that is killed at any moment leaves the whole data set or none, and the next one goes on.

use std::{
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Instant,
};

use super::*;

/// The process that the other test kills: it fetches from a server into a folder. The other test passes both as arguments. Without them this
/// test does nothing, so all ignored tests can run together.
#[test]
#[ignore = "is killed; the other test starts it"]
fn fetcher() {
    let arguments: Vec<String> = std::env::args().collect();
    let Some(url) = arguments.iter().find(|argument| argument.starts_with("http://")) else { return };
    let folder = arguments.last().expect("the folder comes last");
    let archive = describe(&good_archive(), url.clone().leak());
    ensure_archive(&archive, Path::new(folder), Some(&policy()), &|_| ()).unwrap();
}

fn start(server: &Server, folder: &Path) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["download::tests::killed::fetcher", "--exact", "--ignored", server.base_url])
        .arg(folder)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn a_killed_download_is_whole_or_goes_on() {
    let server = Server::start(good_archive(), &[Reply::Slow]);
    let archive = describe(&good_archive(), server.base_url);
    let folder = tempfile::tempdir().unwrap();
    let begin = Instant::now();
    assert!(start(&server, folder.path()).wait().unwrap().success());
    let whole = begin.elapsed();
    assert_unpacked(folder.path());

    let rounds = mrl_testing::scaled(200);
    let mut hits = 0;
    for round in 0..rounds {
        let folder = tempfile::tempdir().unwrap();
        let mut child = start(&server, folder.path());
        thread::sleep(whole.mul_f64(mrl_testing::moment(round)));
        child.kill().unwrap();
        let status = child.wait().unwrap();
        assert_ne!(status.code(), Some(101), "the fetcher failed");
        hits += u32::from(!status.success());
        if folder.path().join("set").exists() {
            assert_unpacked(folder.path());
        }
        ensure_archive(&archive, folder.path(), Some(&policy()), &|_| ()).unwrap();
        assert_unpacked(folder.path());
    }
    assert!(hits > 0, "no kill hit a download");
    println!("{hits} of {rounds} kills hit a download");
}
