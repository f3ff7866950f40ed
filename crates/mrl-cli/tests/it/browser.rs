//! The pages in a real browser: headless Chromium. Without one the test says that it was skipped, unless
//! `MRL_REQUIRE_CHROMIUM` is set, as in CI.

use std::{path::Path, process::Command};

use crate::{
    common::{World, succeed, text},
    evaluation::{EVAL, world},
};

/// Writes where each image lies, and which of its two sources is shown, into the page's own text.
const MEASURE: &str = r#"<script>
window.addEventListener("load", () => {
  const say = (image) => [image.naturalWidth, Math.round(image.getBoundingClientRect().width),
    image.currentSrc.length, image.src.length].join(",");
  document.body.dataset.charts = [...document.querySelectorAll("picture img")].map(say).join(" ");
  document.body.dataset.strips = [...document.querySelectorAll(".strip img")].map(say).join(" ");
  document.body.dataset.ground = getComputedStyle(document.body).backgroundColor;
  document.body.dataset.wide = document.documentElement.scrollWidth > window.innerWidth;
});
</script>"#;

fn chromium() -> Option<&'static str> {
    let runs =
        |name: &&str| Command::new(name).arg("--version").output().is_ok_and(|found| found.status.success());
    let found = ["chromium", "chromium-browser", "google-chrome"].into_iter().find(runs);
    assert!(
        found.is_some() || std::env::var_os("MRL_REQUIRE_CHROMIUM").is_none(),
        "MRL_REQUIRE_CHROMIUM is set, but there is no Chromium"
    );
    found
}

/// The page as the browser sees it, and what it complained about.
struct Seen {
    dom: String,
    complaints: Vec<String>,
}

impl Seen {
    fn open(browser: &str, world: &World, page: &str, dark: bool, width: usize) -> Self {
        let html = text(&world.read(page));
        for word in ["http:", "https:", "//"] {
            let outside = html.split(['"', '(']).filter(|part| part.starts_with(word)).count();
            assert_eq!(outside, 0, "{page} asks for {word}");
        }
        let measured = world.path("measured.html");
        std::fs::write(&measured, html.replace("</body>", &format!("{MEASURE}</body>"))).unwrap();
        let profile = tempfile::tempdir().unwrap();
        let output = Command::new(browser)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--enable-logging=stderr", "--dump-dom"])
            .arg(format!("--window-size={width},900"))
            .arg(format!("--blink-settings=preferredColorScheme={}", usize::from(!dark)))
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg(url(&measured))
            .output()
            .unwrap();
        let stderr = text(&output.stderr);
        let complaints = stderr.lines().filter(|line| line.contains("CONSOLE")).map(str::to_owned);
        Self { dom: text(&output.stdout), complaints: complaints.collect() }
    }

    /// What the script wrote under `name`.
    fn said(&self, name: &str) -> &str {
        let start = format!("data-{name}=\"");
        let rest = self.dom.split_once(&start).unwrap_or_else(|| panic!("no {name} in: {}", self.dom)).1;
        rest.split_once('"').unwrap().0
    }

    fn images(&self, name: &str) -> Vec<Vec<usize>> {
        let numbers = |image: &str| image.split(',').map(|number| number.parse().unwrap()).collect();
        self.said(name).split_whitespace().map(numbers).collect()
    }
}

fn url(path: &Path) -> String {
    format!("file://{}", path.display())
}

#[test]
fn a_report_opens_in_a_browser_without_complaints() {
    pages_open(&[("report/report.html", 7, 54)]);
}

#[test]
#[ignore = "long: cargo xtask test --long"]
fn pages_of_several_reports_open_in_a_browser_without_complaints() {
    pages_open(&[("runs/summary.html", 2, 0), ("both/compare.html", 2, 0)]);
}

/// Opens pages that have so many charts and thumbnails, in light and dark and in a narrow window.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn pages_open(pages: &[(&str, usize, usize)]) {
    let Some(browser) = chromium() else {
        eprintln!("skipped: there is no Chromium on this machine");
        return;
    };
    let world = world();
    succeed(world.mrl(&format!("{EVAL} --data-dir data --out report")));
    if pages.len() > 1 {
        succeed(world.mrl(&format!("{EVAL} --test train.safetensors --measures probe,knn1,knn --out runs")));
        succeed(world.mrl("eval --compare report runs/run-2 --out both"));
    }
    for &(page, charts, strips) in pages {
        let mut grounds = Vec::new();
        for dark in [false, true] {
            let seen = Seen::open(browser, &world, page, dark, 1200);
            assert_eq!(seen.complaints, Vec::<String>::new(), "{page}");
            let shown = seen.images("charts");
            assert_eq!(shown.len(), charts, "{page}");
            for image in shown {
                assert!(image[0] >= 600 && image[1] >= 300, "{page}: a chart of {image:?}");
                // The dark drawing is another file than the one that `src` names.
                assert!(!dark || image[2] != image[3], "{page}: {image:?}");
                assert!(dark || image[2] == image[3], "{page}: {image:?}");
            }
            let thumbnails = seen.images("strips");
            assert_eq!(thumbnails.len(), strips, "{page}");
            assert!(thumbnails.iter().all(|image| image[0] == 12 && image[1] >= 30), "{thumbnails:?}");
            grounds.push(seen.said("ground").to_owned());
        }
        assert_ne!(grounds[0], grounds[1], "{page} is the same in light and dark");
        let narrow = Seen::open(browser, &world, page, false, 500);
        assert_eq!(narrow.said("wide"), "false", "{page} is wider than a narrow window");
    }
}
