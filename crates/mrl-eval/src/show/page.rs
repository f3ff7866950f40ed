//! One self-contained page: nothing is fetched, charts and images are inside.

use std::fmt::Write;

use base64::{Engine, engine::general_purpose::STANDARD};
use mrl_chart::Shade;

use super::{chart::Chart, table::Table};

const STYLE: &str = include_str!("style.css");

/// A page that grows section by section.
pub(crate) struct Page {
    title: String,
    body: String,
}

impl Page {
    pub(crate) fn new(title: &str, lead: &[String]) -> Self {
        let mut page = Self { title: title.to_owned(), body: String::new() };
        let _ = writeln!(page.body, "<header><h1>{}</h1>", escape(title));
        for line in lead {
            let _ = writeln!(page.body, "<p>{}</p>", escape(line));
        }
        page.body.push_str("</header>\n");
        page
    }

    pub(crate) fn heading(&mut self, text: &str) {
        let _ = writeln!(self.body, "<h2>{}</h2>", escape(text));
    }

    pub(crate) fn tables(&mut self, tables: &[Table]) {
        for table in tables {
            self.table(table);
        }
    }

    pub(crate) fn charts(&mut self, charts: &[Chart]) {
        for chart in charts {
            self.chart(chart);
        }
    }

    pub(crate) fn table(&mut self, table: &Table) {
        let _ = writeln!(
            self.body,
            "<section class=\"table\"><h3>{}</h3><table><thead><tr>",
            escape(&table.title)
        );
        for column in &table.columns {
            let _ = write!(self.body, "<th scope=\"col\">{}</th>", escape(column));
        }
        self.body.push_str("</tr></thead><tbody>\n");
        for row in &table.rows {
            self.body.push_str("<tr>");
            for (index, cell) in row.iter().enumerate() {
                let text = escape(&cell.text);
                let _ = match (index, cell.best) {
                    (0, _) => write!(self.body, "<th scope=\"row\">{text}</th>"),
                    (_, true) => write!(self.body, "<td class=\"best\">{text}</td>"),
                    (_, false) => write!(self.body, "<td>{text}</td>"),
                };
            }
            self.body.push_str("</tr>\n");
        }
        self.body.push_str("</tbody></table></section>\n");
    }

    /// The chart twice, of which the browser shows the one that fits its colours.
    fn chart(&mut self, chart: &Chart) {
        let [light, dark] = [Shade::Light, Shade::Dark]
            .map(|shade| data_url("image/svg+xml", chart.drawing.svg_without_font(shade).as_bytes()));
        let _ = writeln!(
            self.body,
            "<figure id=\"{}\"><picture><source media=\"(prefers-color-scheme: dark)\" srcset=\"{dark}\">\
             <img src=\"{light}\" alt=\"{}\"></picture><figcaption>{}</figcaption></figure>",
            escape(chart.name),
            escape(chart.drawing.title()),
            escape(&chart.caption)
        );
    }

    pub(crate) fn list(&mut self, items: &[String]) {
        self.body.push_str("<ul>\n");
        for item in items {
            let _ = writeln!(self.body, "<li>{}</li>", escape(item));
        }
        self.body.push_str("</ul>\n");
    }

    /// Text as it is, folded away.
    pub(crate) fn details(&mut self, summary: &str, text: &str) {
        let (summary, text) = (escape(summary), escape(text));
        let _ = writeln!(self.body, "<details><summary>{summary}</summary><pre>{text}</pre></details>");
    }

    /// A row of images with a word under each; those that are `right` or not are framed.
    pub(crate) fn strip(&mut self, label: &str, images: &[StripImage]) {
        let _ = write!(self.body, "<div class=\"strip\"><span class=\"name\">{}</span>", escape(label));
        for image in images {
            let class = match image.right {
                None => "query",
                Some(true) => "right",
                Some(false) => "wrong",
            };
            let _ = write!(
                self.body,
                "<figure class=\"{class}\"><img src=\"{}\" alt=\"{word}\"><figcaption>{word}</figcaption></figure>",
                data_url("image/png", &image.png),
                word = escape(&image.word)
            );
        }
        self.body.push_str("</div>\n");
    }

    pub(crate) fn finish(self) -> String {
        format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <meta name=\"color-scheme\" content=\"light dark\"><meta name=\"generator\" content=\"mrl\"><title>{}</title>\n<style>\n{STYLE}</style></head>\n\
             <body><main>\n{}</main></body></html>\n",
            escape(&self.title),
            self.body
        )
    }
}

/// An image of a strip.
pub(crate) struct StripImage {
    pub(crate) png: Vec<u8>,
    pub(crate) word: String,
    /// Whether it has the label of the query; none for the query itself.
    pub(crate) right: Option<bool>,
}

fn data_url(kind: &str, bytes: &[u8]) -> String {
    format!("data:{kind};base64,{}", STANDARD.encode(bytes))
}

/// Names and configurations come from files: nothing in them is markup.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_a_file_is_markup() {
        let mut page = Page::new("<script>1</script>", &["a & b".to_owned()]);
        page.details("\"'", "</pre><img onerror=1>");
        let html = page.finish();
        assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
        assert!(html.contains("a &amp; b") && html.contains("&quot;&#39;"));
    }
}
