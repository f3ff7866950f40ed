use anyhow::Result;
use mrl_retrieve::{
    Index,
    postgres::{PostgresError, PushOptions, Server},
};

use crate::{
    UsageError,
    args::{PushArgs, TableArgs},
    progress::{Progress, answer},
};

pub(super) fn push(args: &PushArgs) -> Result<()> {
    let Some(server) = server(&args.table)? else {
        return Err(UsageError("name the database with --postgres URL".to_owned()).into());
    };
    let index = Index::open(&args.index)?;
    let batch = args.batch.map(|rows| rows as usize);
    let options = PushOptions { prefix: args.prefix, ann: args.ann, batch };
    let progress = Progress::new("pushing");
    let pushed = server.push(&index, &args.table.table, &options, &mut |done, all| {
        progress.at(done as u64, all as u64, "");
    })?;
    progress.finish();
    let (table, rows) = (&args.table.table, pushed.rows);
    answer(&match rows - pushed.new {
        0 => format!("{table}: {rows} vectors, shortlists by {} dims", pushed.prefix),
        before => {
            format!("{table}: {rows} vectors, shortlists by {} dims; {before} were there", pushed.prefix)
        }
    });
    Ok(())
}

/// The database that is named, if one is.
pub(super) fn server(args: &TableArgs) -> Result<Option<Server>, PostgresError> {
    let Some(url) = &args.postgres else { return Ok(None) };
    let mut server: Server = url.parse()?;
    if let Ok(password) = std::env::var("PGPASSWORD") {
        server.or_password(&password);
    }
    Ok(Some(server))
}
