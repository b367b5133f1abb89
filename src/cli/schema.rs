//! `logcrier schema`: what editors are told of rules and settings.

use std::io::{self, Write};

use super::args::{SchemaArgs, SchemaOf};
use crate::rules::schema;

/// Prints the schema.
pub fn run(args: &SchemaArgs, out: &mut dyn Write) -> io::Result<()> {
    let schema = match args.of {
        SchemaOf::Rules => schema::of_rules(),
        SchemaOf::Settings => schema::of_settings(),
    };
    writeln!(out, "{schema:#}")
}
