use domain::scans::Severity;

use super::signature::{self, Signature};
use crate::website::rule::Rule;

pub(super) struct File {
    pub path: &'static str,
    pub rule: &'static Rule,
    pub signature: Signature,
    /// Looked for in a quick scan too.
    pub is_quick: bool,
}

const REFERENCES: &[&str] = &[
    "https://owasp.org/www-project-web-security-testing-guide/latest/4-Web_Application_Security_Testing/02-Configuration_and_Deployment_Management_Testing/04-Review_Old_Backup_and_Unreferenced_Files_for_Sensitive_Information",
];

static REPOSITORY: Rule = Rule {
    id: "website.exposed-repository",
    title: "The version control folder can be downloaded",
    description: "From the files of the folder an attacker can put together the source code with its whole history, and whatever secrets it holds.",
    severity: Severity::High,
    cwe: &[527, 538],
    fix: "Take the folder off the server, or refuse paths that begin with a dot, and replace secrets that the history holds.",
    references: REFERENCES,
};

static SECRETS: Rule = Rule {
    id: "website.exposed-secrets",
    title: "A file with secrets can be downloaded",
    description: "The file holds passwords, keys or tokens, which anybody can use now.",
    severity: Severity::Critical,
    cwe: &[538, 522],
    fix: "Take the file off the server, replace every secret in it, and look in the logs for who fetched it.",
    references: REFERENCES,
};

static BACKUP: Rule = Rule {
    id: "website.exposed-backup",
    title: "A backup can be downloaded",
    description: "Backups and dumps hold the data or the source code of the site.",
    severity: Severity::High,
    cwe: &[530],
    fix: "Keep backups outside of what the web server serves.",
    references: REFERENCES,
};

static CONFIGURATION: Rule = Rule {
    id: "website.exposed-configuration",
    title: "A configuration file can be downloaded",
    description: "The file tells how the site is built and what it talks to, often with passwords.",
    severity: Severity::Medium,
    cwe: &[538],
    fix: "Take the file off the server and refuse such names.",
    references: REFERENCES,
};

static DIAGNOSTICS: Rule = Rule {
    id: "website.exposed-diagnostics",
    title: "A page with the inner state of the server is public",
    description: "The page tells about software, settings, paths and at times other visitors.",
    severity: Severity::Medium,
    cwe: &[200, 497],
    fix: "Remove the page or limit it to the addresses of operators.",
    references: REFERENCES,
};

static APPLICATION_STATE: Rule = Rule {
    id: "website.exposed-application-state",
    title: "The environment of the application is public",
    description: "The page lists the settings of the application, among which are often passwords and keys.",
    severity: Severity::High,
    cwe: &[200, 497],
    fix: "Expose only the health endpoint, and demand authorisation for the others.",
    references: REFERENCES,
};

static LISTING_FILE: Rule = Rule {
    id: "website.exposed-folder-index",
    title: "A desktop file names the files of the folder",
    description: "The file `.DS_Store` lists the names of the files beside it, also of those that no page links to.",
    severity: Severity::Low,
    cwe: &[538],
    fix: "Delete the file and keep it out of deployments.",
    references: REFERENCES,
};

static API_DOCUMENT: Rule = Rule {
    id: "website.api-documentation",
    title: "The description of the API is public",
    description: "It shows every operation of the API. That may be intended.",
    severity: Severity::Info,
    cwe: &[200],
    fix: "Where the API is not meant for the public, put the description behind authorisation.",
    references: REFERENCES,
};

const fn quick(path: &'static str, rule: &'static Rule, signature: Signature) -> File {
    File { path, rule, signature, is_quick: true }
}

const fn full(path: &'static str, rule: &'static Rule, signature: Signature) -> File {
    File { path, rule, signature, is_quick: false }
}

const SQL: Signature = Signature::Lines("a database dump", &signature::SQL_DUMP);
const ZIP: Signature = Signature::Start("a zip archive", b"PK\x03\x04");
const GZIP: Signature = Signature::Start("a gzip archive", b"\x1f\x8b\x08");
const KEY: Signature = Signature::Lines("a private key", &signature::PRIVATE_KEY);
const PHP_INFO: Signature = Signature::Page("the output of phpinfo", &["phpinfo()", "PHP Version"]);
const COMPOSE: Signature = Signature::Lines("a compose file", &signature::COMPOSE_FILE);
const OPENAPI: Signature = Signature::Lines("an OpenAPI document", &signature::API_DOCUMENT);
const WORDPRESS: Signature =
    Signature::Text("a WordPress configuration", &["<?php", "DB_PASSWORD"]);

pub(super) static FILES: [File; 37] = [
    quick("/.git/HEAD", &REPOSITORY, Signature::Lines("a git reference", &signature::GIT_HEAD)),
    quick(
        "/.git/config",
        &REPOSITORY,
        Signature::Text("a git configuration", &["[core]", "repositoryformatversion"]),
    ),
    quick("/.env", &SECRETS, Signature::Environment),
    quick(
        "/.aws/credentials",
        &SECRETS,
        Signature::Text("credentials for AWS", &["aws_access_key_id"]),
    ),
    quick("/id_rsa", &SECRETS, KEY),
    quick("/backup.zip", &BACKUP, ZIP),
    quick("/backup.sql", &BACKUP, SQL),
    quick("/.DS_Store", &LISTING_FILE, Signature::Start("a folder index", b"\x00\x00\x00\x01Bud1")),
    quick("/docker-compose.yml", &CONFIGURATION, COMPOSE),
    quick("/phpinfo.php", &DIAGNOSTICS, PHP_INFO),
    quick(
        "/server-status",
        &DIAGNOSTICS,
        Signature::Page("the status of the server", &["Apache Server Status"]),
    ),
    quick(
        "/actuator/env",
        &APPLICATION_STATE,
        Signature::Text("the environment", &["\"propertySources\""]),
    ),
    quick("/wp-config.php.bak", &SECRETS, WORDPRESS),
    full("/wp-config.php~", &SECRETS, WORDPRESS),
    full(
        "/.svn/entries",
        &REPOSITORY,
        Signature::Lines("a Subversion folder", &signature::SVN_ENTRIES),
    ),
    full(
        "/.svn/wc.db",
        &REPOSITORY,
        Signature::Start("a Subversion database", b"SQLite format 3\0"),
    ),
    full("/.hg/requires", &REPOSITORY, Signature::Text("a Mercurial folder", &["revlogv1"])),
    full("/.env.local", &SECRETS, Signature::Environment),
    full("/.env.production", &SECRETS, Signature::Environment),
    full("/.htpasswd", &SECRETS, Signature::Lines("a password file", &signature::PASSWORD_FILE)),
    full(
        "/.npmrc",
        &SECRETS,
        Signature::Lines("credentials for npm", &signature::NPM_CONFIGURATION),
    ),
    full("/.ssh/id_rsa", &SECRETS, KEY),
    full("/server.key", &SECRETS, KEY),
    full("/backup.tar.gz", &BACKUP, GZIP),
    full("/site.zip", &BACKUP, ZIP),
    full("/dump.sql", &BACKUP, SQL),
    full("/database.sql", &BACKUP, SQL),
    full("/docker-compose.yaml", &CONFIGURATION, COMPOSE),
    full(
        "/web.config",
        &CONFIGURATION,
        Signature::Page("a configuration of IIS", &["<configuration", "<system.web"]),
    ),
    full("/info.php", &DIAGNOSTICS, PHP_INFO),
    full(
        "/server-info",
        &DIAGNOSTICS,
        Signature::Page("the settings of the server", &["Apache Server Information"]),
    ),
    full("/elmah.axd", &DIAGNOSTICS, Signature::Page("an error log", &["Error Log for"])),
    full(
        "/debug/pprof/",
        &DIAGNOSTICS,
        Signature::Page("profiles of a Go program", &["Types of profiles available"]),
    ),
    full("/swagger.json", &API_DOCUMENT, OPENAPI),
    full("/openapi.json", &API_DOCUMENT, OPENAPI),
    full("/v3/api-docs", &API_DOCUMENT, OPENAPI),
    full(
        "/swagger-ui/index.html",
        &API_DOCUMENT,
        Signature::Page("a Swagger page", &["swagger-ui"]),
    ),
];
