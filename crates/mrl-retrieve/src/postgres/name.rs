use std::{fmt, str::FromStr};

use super::PostgresError;

/// The longest name, in bytes: the server cuts names at 63, and those of indexes say more.
const LONGEST: usize = 40;

/// The name of a table, perhaps with its schema before a dot. Shown as SQL needs it, in quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableName {
    schema: Option<String>,
    table: String,
}

impl TableName {
    /// The table beside it that knows how far pushes have come.
    pub(super) fn pushes(&self) -> Self {
        Self { schema: self.schema.clone(), table: "mrl_pushes".to_owned() }
    }

    /// What the index of a prefix is called; it lies in the table's schema.
    pub(super) fn index(&self, dims: usize, method: &str) -> String {
        quoted(&format!("{}_{dims}_{method}", self.table))
    }
}

impl FromStr for TableName {
    type Err = PostgresError;

    fn from_str(name: &str) -> Result<Self, PostgresError> {
        let wrong = |problem| PostgresError::Name { name: name.to_owned(), problem };
        let parts: Vec<&str> = name.split('.').collect();
        if parts.len() > 2 || parts.iter().any(|part| part.is_empty() || part.contains('\0')) {
            return Err(wrong("write NAME or SCHEMA.NAME"));
        }
        if parts.iter().any(|part| part.len() > LONGEST) {
            return Err(wrong("use at most 40 letters"));
        }
        let table = parts[parts.len() - 1].to_owned();
        if table == "mrl_pushes" {
            return Err(wrong("that table says how far pushes have come; choose another name"));
        }
        Ok(Self { schema: (parts.len() == 2).then(|| parts[0].to_owned()), table })
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{}.", quoted(schema))?;
        }
        f.write_str(&quoted(&self.table))
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted() {
        for (name, shown) in [
            ("rows", "\"rows\""),
            ("my.Rows", "\"my\".\"Rows\""),
            ("x\"; DROP TABLE y; --", "\"x\"\"; DROP TABLE y; --\""),
        ] {
            assert_eq!(name.parse::<TableName>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for (name, cure) in [
            ("", "NAME or SCHEMA.NAME"),
            ("a.b.c", "NAME or SCHEMA.NAME"),
            ("a.", "NAME or SCHEMA.NAME"),
            (&"x".repeat(41), "at most 40 letters"),
            ("mrl_pushes", "choose another name"),
        ] {
            let message = name.parse::<TableName>().unwrap_err().to_string();
            assert!(message.contains(cure), "{message}");
        }
    }
}
