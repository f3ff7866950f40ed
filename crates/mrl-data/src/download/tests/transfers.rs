//! Servers that cut, lie, stall and refuse.

use super::*;

/// What the error says after the address and the problem.
fn cure(server: &Server, md5: &str) -> String {
    format!(
        "put set.tar.gz (from {}set.tar.gz, md5 {md5}) into DIR, or its folder set unpacked",
        server.base_url
    )
}

#[track_caller]
fn assert_fails(result: Result<PathBuf, String>, server: &Server, problem: &str) {
    let md5 = describe(&good_archive(), server.base_url).md5;
    let expected = format!("{}set.tar.gz: {problem}; {}", server.base_url, cure(server, md5));
    assert_eq!(result.unwrap_err(), expected);
}

#[test]
fn a_good_server_is_asked_once() {
    let (folder, server, result) = fetched(&[Reply::Good], None);
    assert_eq!(result.unwrap(), folder.path().join("set"));
    assert_unpacked(folder.path());
    assert_eq!(names(folder.path()), ["set"], "neither the archive nor anything temporary stays");
    assert_eq!(server.requests(), [0]);
}

#[test]
fn progress_grows_to_the_total() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(good_archive(), &[Reply::Cut(9000), Reply::Good]);
    let archive = describe(&good_archive(), server.base_url);
    let log = RefCell::new(Vec::new());
    ensure_archive(&archive, folder.path(), Some(&policy()), &|event| {
        log.borrow_mut().push(format!("{event:?}"));
    })
    .unwrap();
    let (log, total) = (log.into_inner(), good_archive().len());
    let last =
        format!("Download {{ file: \"set.tar.gz\", done_bytes: {total}, total_bytes: Some({total}) }}");
    assert!(log.contains(&last), "{log:#?}");
    assert!(log.iter().any(|line| line.starts_with("Retry") && line.ends_with("attempt: 2 }")), "{log:#?}");
    assert_eq!(
        log[log.len() - 2..],
        ["a.bin", "b.bin"].map(|name| { format!("Unpack {{ file: \"set.tar.gz\", entry: \"{name}\" }}") })
    );
}

#[test]
fn a_cut_download_is_resumed_where_it_ended() {
    let (folder, server, result) = fetched(&[Reply::Cut(5000), Reply::Cut(7000), Reply::Good], None);
    result.unwrap();
    assert_unpacked(folder.path());
    assert_eq!(server.requests(), [0, 5000, 12_000]);
}

#[test]
fn a_download_cut_in_another_run_is_resumed() {
    let (folder, server, result) = fetched(&[Reply::Good], Some(&good_archive()[..4321]));
    result.unwrap();
    assert_unpacked(folder.path());
    assert_eq!(server.requests(), [4321]);
}

#[test]
fn a_whole_part_is_recognised() {
    let (folder, server, result) = fetched(&[Reply::Good], Some(&good_archive()));
    result.unwrap();
    assert_unpacked(folder.path());
    assert_eq!(server.requests(), [good_archive().len() as u64]);
}

#[test]
fn a_server_that_ignores_ranges_starts_over() {
    let (folder, server, result) = fetched(&[Reply::Cut(5000), Reply::IgnoreRange], None);
    result.unwrap();
    assert_unpacked(folder.path());
    assert_eq!(server.requests(), [0, 5000]);
}

#[test]
fn a_server_that_sends_another_range_is_asked_for_all() {
    let (folder, server, result) = fetched(&[Reply::Cut(5000), Reply::WrongRange, Reply::Good], None);
    result.unwrap();
    assert_unpacked(folder.path());
    assert_eq!(server.requests(), [0, 5000, 0]);
}

#[test]
fn a_part_of_another_file_is_dropped() {
    for stale in [vec![0; 4000], vec![0; 90_000]] {
        let (folder, server, result) = fetched(&[Reply::Good], Some(&stale));
        result.unwrap();
        assert_unpacked(folder.path());
        assert_eq!(server.requests(), [stale.len() as u64, 0]);
    }
}

#[test]
fn a_file_that_is_another_each_time_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    // Each attempt brings so much that the count of attempts starts anew.
    let replies = std::iter::repeat_n([Reply::Cut(2 << 20), Reply::Good], 8);
    let server = Server::start(vec![7; 4 << 20], &replies.flatten().collect::<Vec<_>>());
    let archive = Archive { most_bytes: 5 << 20, ..describe(&good_archive(), server.base_url) };
    let error = ensure_archive(&archive, folder.path(), Some(&policy()), &|_| ()).unwrap_err().to_string();
    assert!(error.contains("the file that came has md5"), "{error}");
    assert_eq!(server.requests().len(), 4, "a piece, the rest, and once more");
}

#[test]
fn other_bytes_are_refused_and_removed() {
    let (folder, server, result) = fetched(&[Reply::WrongBytes], None);
    let other: Vec<u8> = good_archive().iter().map(|byte| byte ^ 1).collect();
    let (found, wanted) = (describe(&other, "").md5, describe(&good_archive(), "").md5);
    assert_fails(result, &server, &format!("the file that came has md5 {found}, not {wanted}"));
    assert_eq!(names(folder.path()), Vec::<String>::new());
    assert_eq!(server.requests(), [0]);
}

#[test]
fn a_length_too_small_is_found_by_the_checksum() {
    let (folder, server, result) = fetched(&[Reply::WrongLength(-100)], None);
    let (found, wanted) =
        (describe(&good_archive()[..good_archive().len() - 100], "").md5, describe(&good_archive(), "").md5);
    assert_fails(result, &server, &format!("the file that came has md5 {found}, not {wanted}"));
    assert_eq!(names(folder.path()), Vec::<String>::new());
}

#[test]
fn a_length_too_large_looks_like_a_cut() {
    let (_folder, server, result) = fetched(&[Reply::WrongLength(100)], None);
    let message = result.unwrap_err();
    assert!(message.contains("after 4 attempts; put set.tar.gz"), "{message}");
    assert_eq!(server.requests().len(), 4);
    // Once the server is honest again, what it sent before is used.
    let (folder, _, result) = fetched(&[Reply::WrongLength(100), Reply::Good], None);
    result.unwrap();
    assert_unpacked(folder.path());
}

#[test]
fn a_claim_beyond_the_archives_size_is_not_believed() {
    let (folder, server, result) = fetched(&[Reply::WrongLength(1 << 40)], None);
    assert_fails(result, &server, "the server sends more than 100000 bytes, which is not the archive");
    assert_eq!(names(folder.path()), Vec::<String>::new());
    let (folder, server, result) = fetched(&[Reply::Endless], None);
    assert_fails(result, &server, "the server sends more than 100000 bytes, which is not the archive");
    let part = fs::metadata(folder.path().join("set.tar.gz.part")).unwrap().len();
    assert!(part <= 100_000, "{part}");
}

#[test]
fn a_silent_server_is_given_up_and_asked_again() {
    let (folder, server, result) = fetched(&[Reply::Stall(6000), Reply::Good], None);
    result.unwrap();
    assert_unpacked(folder.path());
    assert_eq!(server.requests(), [0, 6000]);
    let (folder, server, result) = fetched(&[Reply::Stall(0)], None);
    let message = result.unwrap_err();
    assert!(message.contains("timeout") && message.contains("after 4 attempts; put set.tar.gz"), "{message}");
    assert_eq!(server.requests().len(), 4);
    assert!(!folder.path().join("set").exists());
}

#[test]
fn a_refusal_ends_it_and_a_breakdown_does_not() {
    let (_folder, server, result) = fetched(&[Reply::Status(404)], None);
    assert_fails(result, &server, "the server answers 404 Not Found");
    assert_eq!(server.requests(), [0]);
    let (folder, server, result) = fetched(&[Reply::Status(500), Reply::Status(503), Reply::Good], None);
    result.unwrap();
    assert_unpacked(folder.path());
    assert_eq!(server.requests(), [0, 0, 0]);
    let (_folder, server, result) = fetched(&[Reply::Status(500)], None);
    assert_fails(result, &server, "the server answers 500 Internal Server Error, after 4 attempts");
}

#[test]
fn without_network_the_error_says_what_to_put_where() {
    // A port that was free a moment ago refuses.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let folder = tempfile::tempdir().unwrap();
    let archive = describe(&good_archive(), format!("http://127.0.0.1:{port}/").leak());
    let error = ensure_archive(&archive, folder.path(), Some(&policy()), &|_| ()).unwrap_err().to_string();
    assert!(error.starts_with(&format!("http://127.0.0.1:{port}/set.tar.gz: ")), "{error}");
    assert!(error.ends_with(&format!("after 4 attempts; {}", archive.cure(folder.path()))), "{error}");
}

#[test]
fn two_at_once_fetch_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(good_archive(), &[Reply::Good]);
    let archive = describe(&good_archive(), server.base_url);
    std::thread::scope(|scope| {
        let ensure = || ensure_archive(&archive, folder.path(), Some(&policy()), &|_| ()).unwrap();
        let other = scope.spawn(ensure);
        ensure();
        other.join().unwrap();
    });
    assert_unpacked(folder.path());
    if cfg!(target_os = "linux") {
        assert_eq!(server.requests(), [0]);
    }
}
