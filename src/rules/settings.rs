//! Settings and all that they name, to a checked whole.
//!
//! This is where the files come together: the settings, the rule files they name,
//! the environment. Every file is read and checked even if another one is wrong,
//! so that all mistakes are seen at once.

use core::net::SocketAddr;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::check::{self, Context};
use super::examples::Examples;
use super::fields::{self, Fields, Known};
use super::own;
use super::parse::{Entry, Value};
use super::{RuleKey, RuleSet, Surroundings, regexes};
use crate::diagnostic::{FileId, Place, Report, Span};
use crate::secrets::Redactor;
pub use heartbeat::Heartbeat;
pub use proxy::Proxy;
use rules::exec_rule;
pub(super) use spaces::SPACE;
use spaces::Spaces;

mod fallbacks;

mod heartbeat;

mod proxy;

mod spaces;

mod files;

mod rules;

/// Where the settings are if nobody says otherwise.
pub const CONFIG_DEFAULT: &str = "/etc/logcrier/logcrier.yaml";

/// The variable that turns change notifications off.
const WATCH_VARIABLE: &str = "LOGCRIER_WATCH";

/// The fields of the settings.
pub(super) const SETTINGS: Known = Known {
    what: "the settings",
    fields: &[
        "ca_file",
        "defaults",
        "heartbeat_url",
        "host",
        "labels",
        "metrics",
        "proxy",
        "redact",
        "rule_files",
        "rules",
        "spaces",
        "state_dir",
        "watch",
    ],
};

const METRICS: Known = Known {
    what: "`metrics`",
    fields: &["listen"],
};

/// The words for how changes are noticed.
pub(super) const WATCHES: [(&str, Watch); 2] = [("auto", Watch::Auto), ("poll", Watch::Poll)];

/// What is to be loaded.
#[derive(Debug, Clone)]
pub struct Request {
    /// The settings file, if one was named.
    pub config: Option<PathBuf>,
    /// Rule files that were named on the command line.
    pub rules: Vec<PathBuf>,
    /// What it is for.
    pub purpose: Purpose,
    /// The name of this machine.
    pub machine_name: String,
    /// The directory that names on the command line are meant from.
    pub directory: PathBuf,
}

/// What settings and rules are loaded for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To be run: there must be a space and a rule.
    Agent,
    /// Rule files are looked at alone: no settings, and any space will do.
    LoneRules,
    /// Only the spaces are wanted: rules are not even read.
    Spaces,
}

/// What became of it.
#[derive(Debug)]
pub struct Loaded {
    /// Settings and rules, unless there was a mistake.
    pub settings: Option<Settings>,
    /// Where the state is kept, if the settings say so and whatever else is wrong.
    pub state_dir: Option<PathBuf>,
    /// The rules that were written, with the tests that they carry. Running them
    /// is for who asks for it: an agent that starts does not.
    pub carried: Vec<Carried>,
    /// All mistakes and warnings.
    pub report: Report,
}

/// A rule as it was written, and its tests.
#[derive(Debug)]
pub struct Carried {
    /// The rule's key.
    pub key: RuleKey,
    /// Where the key stands.
    pub at: Span,
    /// Its tests, if it has any.
    pub examples: Option<Examples>,
}

/// Settings without doubts.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Spaces and rules.
    pub rule_set: RuleSet,
    /// Where the state is kept, if the settings say so.
    pub state_dir: Option<PathBuf>,
    /// How changes of files are noticed.
    pub watch: Watch,
    /// More certificates to trust.
    pub ca_file: Option<PathBuf>,
    /// The proxy on the way out; without one the environment's is used.
    pub proxy: Option<Proxy>,
    /// Where metrics are shown, if they are.
    pub metrics: Option<SocketAddr>,
    /// Where the agent says that it lives, if it does.
    pub heartbeat: Option<Heartbeat>,
}

/// How changes of files are noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Watch {
    /// By notifications of the system where it has them.
    #[default]
    Auto,
    /// By looking.
    Poll,
}

/// Loads settings and rules and finds every mistake in them.
pub fn load(request: &Request, surroundings: &dyn Surroundings) -> Loaded {
    let mut loader = Loader {
        request,
        surroundings,
        report: Report::new(),
        directories: BTreeMap::new(),
        state_dir: None,
        carried: Vec::new(),
    };
    let settings = loader.load();
    let report = loader.report;
    Loaded {
        state_dir: loader.state_dir,
        settings: settings.filter(|_| !report.has_errors()),
        carried: loader.carried,
        report,
    }
}

struct Loader<'a> {
    request: &'a Request,
    surroundings: &'a dyn Surroundings,
    report: Report,
    /// The directory of each file.
    directories: BTreeMap<FileId, PathBuf>,
    state_dir: Option<PathBuf>,
    carried: Vec<Carried>,
}

impl Loader<'_> {
    fn load(&mut self) -> Option<Settings> {
        let config = self.config_path();
        let purpose = self.request.purpose;
        if config.is_none() && self.request.rules.is_empty() && purpose != Purpose::Spaces {
            self.report.nothing_to_do(CONFIG_DEFAULT);
            return None;
        }
        let (main, is_readable) = match &config {
            Some(path) => match self.read_settings(path) {
                Some(main) => (main.root, true),
                None => (None, false),
            },
            None => (None, true),
        };
        let main = main
            .as_ref()
            .and_then(|root| Fields::read(root, SETTINGS, &mut self.report));
        let main = main.as_ref();
        let get = |name: &str| main.and_then(|fields| fields.get(name));
        let directory = config.as_deref().and_then(Path::parent);
        let directory = directory.unwrap_or(Path::new("/"));
        self.state_dir = get("state_dir")
            .and_then(|entry| fields::text(entry, &mut self.report))
            .map(|text| directory.join(text));

        let spaces = match purpose {
            Purpose::LoneRules => Spaces::default(),
            Purpose::Agent | Purpose::Spaces => self.spaces(get("spaces")),
        };
        // Without its settings nobody can know which spaces a rule may name.
        let are_known = purpose != Purpose::LoneRules && is_readable;
        if are_known && spaces.names.is_empty() && !get("spaces").is_some_and(has_entries) {
            let place = match &config {
                Some(path) => Place::Named(self.shown(path)),
                None => Place::Nowhere,
            };
            self.report.no_spaces(place);
        }
        let labels = match get("labels") {
            Some(entry) => check::read_labels(entry, &mut self.report),
            None => BTreeMap::new(),
        };
        let files = match purpose {
            Purpose::Agent | Purpose::LoneRules => self.rule_files(get("rule_files")),
            Purpose::Spaces => Vec::new(),
        };
        let directories = std::mem::take(&mut self.directories);
        let context = Context {
            directories: &directories,
            spaces: are_known.then_some(&spaces.names),
            only_space: match spaces.names.len() {
                1 => spaces.names.first(),
                _ => None,
            },
            labels: &labels,
            surroundings: self.surroundings,
        };
        let defaults = self.defaults(get("defaults"), &context);
        let rules = match purpose {
            Purpose::Agent | Purpose::LoneRules => {
                self.rules(get("rules"), &files, defaults.as_ref(), &context)
            }
            Purpose::Spaces => Some(Vec::new()),
        };
        let exec = exec_rule(defaults.as_ref(), &context);
        let default_space = match defaults.as_ref().and_then(|fields| fields.get("space")) {
            Some(entry) => check::named_spaces(entry, &context, &mut self.report)
                .and_then(|names| names.into_iter().next()),
            None => context.only_space.cloned(),
        };

        let redactor = match get("redact") {
            Some(entry) => regexes::read_secrets(entry, &mut self.report).map(Redactor::new),
            None => Some(Redactor::default()),
        };
        let host = get("host").and_then(|entry| fields::text(entry, &mut self.report));
        Some(Settings {
            rule_set: RuleSet {
                host: host.unwrap_or(&self.request.machine_name).to_owned(),
                spaces: spaces.good,
                own: own::rules(default_space.as_ref()),
                exec,
                default_space,
                rules: check::sorted(rules?),
                redactor: Arc::new(redactor?),
            },
            state_dir: self.state_dir.clone(),
            watch: self.watch(get("watch")),
            ca_file: get("ca_file").and_then(|entry| self.ca_file(entry, directory)),
            proxy: get("proxy").and_then(|entry| self.proxy(entry)),
            metrics: get("metrics").and_then(|entry| self.metrics(entry)),
            heartbeat: get("heartbeat_url").and_then(|entry| self.heartbeat(entry)),
        })
    }

    fn ca_file(&mut self, entry: &Entry, directory: &Path) -> Option<PathBuf> {
        let name = fields::text(entry, &mut self.report)?;
        let path = directory.join(name);
        if !self.surroundings.exists(&path) {
            let shown = self.shown_for(&entry.node, &path);
            self.report.no_such_file(fields::place_of(entry), &shown);
        }
        Some(path)
    }

    fn proxy(&mut self, entry: &Entry) -> Option<Proxy> {
        let address = fields::text(entry, &mut self.report)?;
        let at = fields::place_of(entry);
        let proxy = Proxy::of(address)
            .map_err(|why| self.report.bad_proxy(at, why))
            .ok()?;
        let is_variable = (entry.node.as_scalar()).is_some_and(|scalar| scalar.written.is_some());
        if let Some(holder) = self.config_path().filter(|_| !is_variable)
            && proxy.has_password()
            && self.surroundings.is_exposed(&holder)
        {
            let shown = self.shown_for(&entry.node, &holder);
            self.report.exposed_proxy(at, &shown);
        }
        Some(proxy)
    }

    fn metrics(&mut self, entry: &Entry) -> Option<SocketAddr> {
        let fields = Fields::read(&entry.node, METRICS, &mut self.report)?;
        let Some(entry) = fields.get("listen") else {
            self.report.no_listen(fields.at);
            return None;
        };
        let address = fields::text(entry, &mut self.report)?;
        let address = address.parse().ok();
        if address.is_none() {
            self.report.not_a_listen(fields::place_of(entry));
        }
        address
    }

    fn heartbeat(&mut self, entry: &Entry) -> Option<Heartbeat> {
        let address = fields::text(entry, &mut self.report)?;
        Heartbeat::of(address)
            .map_err(|why| self.report.bad_heartbeat(fields::place_of(entry), why))
            .ok()
    }

    fn watch(&mut self, entry: Option<&Entry>) -> Watch {
        let written = entry.and_then(|entry| fields::word(entry, &WATCHES, &mut self.report));
        match self.surroundings.variable(WATCH_VARIABLE).as_deref() {
            Some("poll") => Watch::Poll,
            Some("auto") => Watch::Auto,
            Some("") | None => written.unwrap_or_default(),
            Some(_) => {
                self.report.bad_watch(Place::Named(WATCH_VARIABLE.into()));
                Watch::Auto
            }
        }
    }
}

fn has_entries(entry: &Entry) -> bool {
    matches!(&entry.node.value, Value::Map(entries) if !entries.is_empty())
}

#[cfg(test)]
mod tests;
