//! Settings and all that they name, to a checked whole.
//!
//! This is where the files come together: the settings, the rule files they name,
//! the environment. Every file is read and checked even if another one is wrong,
//! so that all mistakes are seen at once.

use core::net::SocketAddr;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::check::{self, Context, Layers};
use super::conditions::inhibition;
use super::examples::{self, Examples, Subject};
use super::fields::{self, Fields, Known};
use super::glob::Glob;
use super::own;
use super::parse::{self, Entry, Node, Value};
use super::{
    RuleKey, RuleSet, SPACE_DEFAULT, Space, SpaceName, Surroundings, regexes, variables, webhook,
};
use crate::diagnostic::{FileId, Place, Report, Span};
use crate::secrets::Redactor;
use fallbacks::Wish;
pub use heartbeat::Heartbeat;
pub use proxy::Proxy;

mod fallbacks;

mod heartbeat;

mod proxy;

/// Where the settings are if nobody says otherwise.
pub const CONFIG_DEFAULT: &str = "/etc/logcrier/logcrier.yaml";

/// The variable that holds the webhook of the space `default`.
const WEBHOOK_VARIABLE: &str = "LOGCRIER_WEBHOOK";

/// The variable that turns change notifications off.
const WATCH_VARIABLE: &str = "LOGCRIER_WATCH";

/// The variable with the directory of a unit's credentials.
const CREDENTIALS_VARIABLE: &str = "CREDENTIALS_DIRECTORY";

/// The pace of a space that says nothing about it: Google Chat's quota.
const PACE_DEFAULT: Duration = Duration::from_secs(1);

/// The smallest pace.
const PACE_MIN: Duration = Duration::from_millis(10);

/// The bytes the name of a space may have.
const SPACE_NAME_BYTES_MAX: usize = 63;

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
    later: &[],
};

const METRICS: Known = Known {
    what: "`metrics`",
    fields: &["listen"],
    later: &[],
};

/// The fields of a space.
pub(super) const SPACE: Known = Known {
    what: "a space",
    fields: &["fallback", "pace", "webhook", "webhook_file"],
    later: &[],
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

/// A file that was read.
struct Read {
    file: FileId,
    /// Its content; nothing if it is empty.
    root: Option<Node>,
}

/// The spaces there are, and those among them that are good.
#[derive(Default)]
struct Spaces {
    names: BTreeSet<SpaceName>,
    good: BTreeMap<SpaceName, Space>,
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

    /// Returns the settings file, if there is one.
    fn config_path(&self) -> Option<PathBuf> {
        if self.request.purpose == Purpose::LoneRules {
            return None;
        }
        match &self.request.config {
            Some(path) => Some(self.request.directory.join(path)),
            None => {
                Some(PathBuf::from(CONFIG_DEFAULT)).filter(|path| self.surroundings.exists(path))
            }
        }
    }

    fn read_settings(&mut self, path: &Path) -> Option<Read> {
        let text = self.content(path, None)?;
        let mut read = self.parse(path, &text)?;
        if let Some(root) = &mut read.root {
            variables::replace(root, self.surroundings, &mut self.report);
        }
        Some(read)
    }

    /// Reads a file; `named_by` is what names it in another file.
    fn content(&mut self, path: &Path, named_by: Option<&Node>) -> Option<String> {
        match self.surroundings.read(path) {
            Ok(text) => Some(text),
            Err(why) => {
                match named_by {
                    Some(node) => {
                        let shown = self.shown_for(node, path);
                        self.report.unreadable_here(node.at, &shown, &why);
                    }
                    None => {
                        let place = Place::Named(self.shown(path));
                        self.report.unreadable(place, &why);
                    }
                }
                None
            }
        }
    }

    fn parse(&mut self, path: &Path, text: &str) -> Option<Read> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let shown = self.shown(path);
        let file = self.report.add_file(&shown, text);
        let directory = path.parent().unwrap_or(Path::new("/"));
        self.directories.insert(file, directory.to_owned());
        let n_errors = self.report.n_errors();
        let root = parse::parse(file, text, &mut self.report);
        let is_yaml = root.is_some() || self.report.n_errors() == n_errors;
        is_yaml.then_some(Read { file, root })
    }

    /// Returns a path as the person who named it would.
    fn shown(&self, path: &Path) -> String {
        let directory = &self.request.directory;
        let within = path.strip_prefix(directory).ok();
        // From the root everything is within, and nothing reads better for it.
        let within = within.filter(|_| directory.parent().is_some());
        within.unwrap_or(path).display().to_string()
    }

    /// Returns a path as it may be shown: if variables are part of it, as written.
    fn shown_for(&self, node: &Node, path: &Path) -> String {
        match node.as_scalar().and_then(|scalar| scalar.written.as_ref()) {
            Some(written) => written.clone(),
            None => self.shown(path),
        }
    }

    fn spaces(&mut self, entry: Option<&Entry>) -> Spaces {
        let mut spaces = Spaces::default();
        let mut wishes = Vec::new();
        let entries = entry
            .and_then(|entry| fields::entries_of(&entry.node, "`spaces`", &mut self.report))
            .unwrap_or_default();
        for (name, entry) in entries {
            let is_name = name.len() <= SPACE_NAME_BYTES_MAX
                && name.starts_with(|char: char| char.is_ascii_alphanumeric())
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
            if !is_name {
                self.report.not_a_space_name(entry.at);
                continue;
            }
            let name = SpaceName::new(name);
            if let Some(space) = self.space(&name, entry, &mut wishes) {
                spaces.good.insert(name.clone(), space);
            }
            spaces.names.insert(name);
        }
        let default = SpaceName::new(SPACE_DEFAULT);
        if let (false, Some(address)) = (
            spaces.names.contains(&default),
            self.surroundings.variable(WEBHOOK_VARIABLE),
        ) {
            match webhook::check(&address) {
                Ok(webhook) => {
                    let pace = PACE_DEFAULT;
                    let space = Space {
                        webhook,
                        pace,
                        fallback: None,
                    };
                    spaces.good.insert(default.clone(), space);
                }
                Err(mistake) => self.report.bad_webhook(
                    Place::Named(WEBHOOK_VARIABLE.into()),
                    mistake.reason,
                    mistake.hint,
                ),
            }
            spaces.names.insert(default);
        }
        fallbacks::join(&mut spaces, wishes, &mut self.report);
        spaces
    }

    fn space(&mut self, name: &SpaceName, entry: &Entry, wishes: &mut Vec<Wish>) -> Option<Space> {
        let what = format!("the space `{name}`");
        if !matches!(entry.node.value, Value::Map(_)) {
            let at = fields::place_of(entry);
            self.report
                .wrong_kind(at, &what, "a map", entry.node.kind());
            return None;
        }
        let fields = Fields::read(&entry.node, SPACE, &mut self.report)?;
        let pace = fields.get("pace").map(|entry| self.pace(entry));
        if let Some(entry) = fields.get("fallback") {
            let fallback = fields::text(entry, &mut self.report);
            wishes.extend(fallback.map(|fallback| Wish {
                space: name.clone(),
                fallback: SpaceName::new(fallback),
                shown: fields::shown(&entry.node).to_owned(),
                at: fields::place_of(entry),
            }));
        }
        let (address, entry, holder) = match (fields.get("webhook"), fields.get("webhook_file")) {
            (Some(entry), None) => {
                let address = fields::text(entry, &mut self.report)?.to_owned();
                let scalar = entry.node.as_scalar();
                let is_variable = scalar.is_some_and(|scalar| scalar.written.is_some());
                let holder = self.config_path().filter(|_| !is_variable);
                (address, entry, holder)
            }
            (None, Some(entry)) => {
                let (address, holder) = self.webhook_file(entry)?;
                (address, entry, Some(holder))
            }
            (Some(_), Some(file)) => {
                self.report.two_webhooks(file.at, name.as_str());
                return None;
            }
            (None, None) => {
                self.report.no_webhook(entry.at, name.as_str());
                return None;
            }
        };
        let at = fields::place_of(entry);
        let webhook = match webhook::check(&address) {
            Ok(webhook) => webhook,
            Err(mistake) => {
                self.report.bad_webhook(at, mistake.reason, mistake.hint);
                return None;
            }
        };
        if let Some(holder) = holder
            && !webhook.is_loopback()
            && self.surroundings.is_exposed(&holder)
        {
            let shown = self.shown_for(&entry.node, &holder);
            self.report.exposed_webhook(at, &shown);
        }
        let pace = match pace {
            Some(pace) => pace?,
            None => PACE_DEFAULT,
        };
        if let Some(entry) = fields.get("pace")
            && pace < PACE_DEFAULT
            && webhook::is_google_chat(&webhook)
        {
            self.report.pace_above_quota(fields::place_of(entry));
        }
        Some(Space {
            webhook,
            pace,
            fallback: None,
        })
    }

    fn pace(&mut self, entry: &Entry) -> Option<Duration> {
        let pace = fields::duration(entry, &mut self.report)?;
        if pace < PACE_MIN {
            let at = fields::place_of(entry);
            self.report.pace_too_small(at, PACE_MIN.as_millis());
            return None;
        }
        Some(pace)
    }

    /// Reads an address from the file that holds it, and returns both.
    fn webhook_file(&mut self, entry: &Entry) -> Option<(String, PathBuf)> {
        let name = fields::text(entry, &mut self.report)?;
        let at = fields::place_of(entry);
        let directory = self.directories.get(&at.file).cloned().unwrap_or_default();
        let credential = self
            .surroundings
            .variable(CREDENTIALS_VARIABLE)
            .filter(|_| !name.contains('/'))
            .map(|directory| Path::new(&directory).join(name))
            .filter(|path| self.surroundings.exists(path));
        let path = credential.unwrap_or_else(|| directory.join(name));
        let address = self.content(&path, Some(&entry.node))?;
        Some((address, path))
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
        Proxy::of(address)
            .map_err(|why| self.report.bad_proxy(fields::place_of(entry), why))
            .ok()
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

    /// Reads every rule file, in the order of their names, each once.
    fn rule_files(&mut self, entry: Option<&Entry>) -> Vec<Read> {
        let mut named: BTreeMap<PathBuf, Option<&Node>> = BTreeMap::new();
        for path in &self.request.rules {
            named.insert(self.request.directory.join(path), None);
        }
        let patterns = entry.and_then(|entry| match &entry.node.value {
            // An empty list of files is as good as none.
            Value::List(nodes) if nodes.is_empty() => None,
            _ => fields::texts(entry, &mut self.report),
        });
        for (node, text) in patterns.unwrap_or_default() {
            if text.starts_with('~') {
                self.report.tilde(node.at);
                continue;
            }
            let directory = self.directories.get(&node.at.file).cloned();
            let glob = match Glob::parse(text, &directory.unwrap_or_default()) {
                Ok(glob) => glob,
                Err(reason) => {
                    self.report.not_a_glob(node.at, &reason);
                    continue;
                }
            };
            if glob.is_literal() {
                named.entry(glob.root().to_owned()).or_insert(Some(node));
                continue;
            }
            let paths = self.surroundings.matching(&glob);
            if paths.is_empty() {
                self.report.matches_no_file(node.at, fields::shown(node));
            }
            for path in paths {
                named.entry(path).or_insert(None);
            }
        }
        let files: Vec<Option<Read>> = named
            .iter()
            .map(|(path, named_by)| {
                let text = self.content(path, *named_by)?;
                self.parse(path, &text)
            })
            .collect();
        files.into_iter().flatten().collect()
    }

    fn defaults<'n>(
        &mut self,
        entry: Option<&'n Entry>,
        context: &Context<'_>,
    ) -> Option<Fields<'n>> {
        let fields = Fields::read(&entry?.node, check::DEFAULTS, &mut self.report)?;
        check::defaults(&fields, context, &mut self.report);
        Some(fields)
    }

    /// Checks the rules of the settings and of all files; nothing if one is wrong.
    fn rules(
        &mut self,
        entry: Option<&Entry>,
        files: &[Read],
        defaults: Option<&Fields<'_>>,
        context: &Context<'_>,
    ) -> Option<Vec<super::Rule>> {
        let mut rules = Rules::default();
        if let Some(entry) = entry {
            self.rules_in(entry, None, defaults, context, &mut rules);
        }
        for file in files {
            self.rules_of_file(file, defaults, context, &mut rules);
        }
        let is_all = context.spaces.is_some();
        inhibition::check(&rules.keys, is_all, &rules.inhibitions, &mut self.report);
        if rules.n_written == 0 && !self.report.has_errors() {
            let path = self.config_path();
            let path = path.as_ref().or(self.request.rules.first());
            let place = path.map_or(Place::Nowhere, |path| Place::Named(self.shown(path)));
            self.report.no_rules(place);
        }
        (rules.good.len() == rules.n_written).then_some(rules.good)
    }

    fn rules_of_file(
        &mut self,
        file: &Read,
        defaults: Option<&Fields<'_>>,
        context: &Context<'_>,
        rules: &mut Rules,
    ) {
        let start = Span {
            file: file.file,
            start: 0,
            end: 0,
        };
        let Some(root) = &file.root else {
            self.report.no_rules_in_file(start);
            return;
        };
        if let Some(entry) = settings_field(root) {
            self.report.settings_as_rules(entry.at, &entry.key);
            return;
        }
        let Some(fields) = Fields::read(root, check::RULE_FILE, &mut self.report) else {
            return;
        };
        let own_defaults = self.defaults(fields.get("defaults"), context);
        match fields.get("rules") {
            Some(entry) => self.rules_in(entry, own_defaults.as_ref(), defaults, context, rules),
            None => self.report.no_rules_in_file(fields.at),
        }
    }

    fn rules_in(
        &mut self,
        entry: &Entry,
        file_defaults: Option<&Fields<'_>>,
        settings_defaults: Option<&Fields<'_>>,
        context: &Context<'_>,
        rules: &mut Rules,
    ) {
        let nodes = fields::list(entry, &mut self.report).unwrap_or_default();
        rules.n_written += nodes.len();
        for node in nodes {
            let Some(fields) = Fields::read(node, check::RULE, &mut self.report) else {
                continue;
            };
            let layers = Layers {
                rule: &fields,
                file: file_defaults,
                settings: settings_defaults,
            };
            let rule = check::rule(layers, context, &mut self.report);
            rules.note_inhibitors(&fields);
            // A key counts even if the rest of its rule is wrong.
            if let Some(entry) = fields.get("key")
                && let Some(scalar) = entry.node.as_scalar()
            {
                let at = fields::place_of(entry);
                match rules.keys.get(&scalar.text) {
                    Some(first) => self.report.duplicate_key(at, scalar.shown(), *first),
                    None => {
                        rules.keys.insert(scalar.text.clone(), at);
                    }
                }
            }
            let examples = fields
                .get("tests")
                .and_then(|entry| examples::read(entry, subject_of(&fields), &mut self.report));
            if let (Some(rule), Some(entry)) = (&rule, fields.get("key")) {
                self.carried.push(Carried {
                    key: rule.key.clone(),
                    at: fields::place_of(entry),
                    examples,
                });
            }
            rules.good.extend(rule);
        }
    }
}

/// The rules found so far.
#[derive(Default)]
struct Rules {
    good: Vec<super::Rule>,
    n_written: usize,
    /// Where each key was first used.
    keys: BTreeMap<String, Span>,
    /// Who wants to be kept quiet by whom.
    inhibitions: Vec<inhibition::Wish>,
}

impl Rules {
    fn note_inhibitors(&mut self, rule: &Fields<'_>) {
        let key = rule.get("key").and_then(|entry| entry.node.as_scalar());
        let (Some(key), Some(entry)) = (key, rule.get("inhibited_by")) else {
            return;
        };
        // What is wrong with the texts themselves is said where the rule is read.
        let texts = fields::texts(entry, &mut Report::new()).unwrap_or_default();
        let wishes = texts.into_iter().map(|(node, by)| inhibition::Wish {
            key: key.text.clone(),
            by: by.to_owned(),
            shown: fields::shown(node).to_owned(),
            at: node.at,
        });
        self.inhibitions.extend(wishes);
    }
}

/// The rule that stands for every key of `logcrier exec` without one.
const EXEC_RULE: &str = "{key: exec, exec: true}";

/// Makes the rule of what `logcrier exec` tells under any key. What is wrong with the
/// defaults is said elsewhere.
fn exec_rule(defaults: Option<&Fields<'_>>, context: &Context<'_>) -> Option<Arc<super::Rule>> {
    let mut quiet = Report::new();
    let file = quiet.add_file("exec", EXEC_RULE);
    let root = parse::parse(file, EXEC_RULE, &mut quiet)?;
    let fields = Fields::read(&root, check::RULE, &mut quiet)?;
    let layers = Layers {
        rule: &fields,
        file: None,
        settings: defaults,
    };
    check::rule(layers, context, &mut quiet).map(Arc::new)
}

/// What the tests of a rule can be about.
fn subject_of(rule: &Fields<'_>) -> Subject {
    let is_of_command = ["command", "shell", "exec"]
        .iter()
        .any(|name| rule.get(name).is_some());
    match (is_of_command, rule.get("match")) {
        (false, _) => Subject::Records,
        (true, Some(_)) => Subject::SearchedResults,
        (true, None) => Subject::Results,
    }
}

fn has_entries(entry: &Entry) -> bool {
    matches!(&entry.node.value, Value::Map(entries) if !entries.is_empty())
}

/// Returns a field that only settings have.
fn settings_field(root: &Node) -> Option<&Entry> {
    let Value::Map(entries) = &root.value else {
        return None;
    };
    entries.iter().find(|entry| {
        let name = entry.key.as_str();
        SETTINGS.fields.contains(&name) && !check::RULE_FILE.fields.contains(&name)
    })
}

#[cfg(test)]
mod tests;
