//! Credentials made up when the tests run, so that none stands in this file.

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const DIGITS: &str = "0123456789";

/// The same text of random characters for the same seed.
fn random(alphabet: &str, length: usize, seed: u64) -> String {
    let alphabet = alphabet.as_bytes();
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..length)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            char::from(alphabet[(state >> 33) as usize % alphabet.len()])
        })
        .collect()
}

pub fn mixed(length: usize, seed: u64) -> String {
    random(&format!("{LOWER}{UPPER}{DIGITS}"), length, seed)
}

pub fn hex(length: usize, seed: u64) -> String {
    random("0123456789abcdef", length, seed)
}

fn upper(length: usize) -> String {
    random(&format!("{UPPER}{DIGITS}"), length, 7)
}

fn digits(length: usize) -> String {
    random("135792468", length, 8)
}

fn uuid(seed: u64) -> String {
    format!("{}-{}-{}-{}-{}", hex(8, seed), hex(4, seed), hex(4, 9), hex(4, 8), hex(12, seed))
}

type Samples = Vec<(&'static str, String, String)>;

/// For each rule its id, a text around a value, and the value.
pub fn all() -> Samples {
    [cloud(), code(), services(), data()].concat()
}

fn cloud() -> Samples {
    let mut samples = Vec::new();
    let mut sample = |rule, before: &str, value: String, after: &str| {
        samples.push((rule, format!("{before}{value}{after}"), value));
    };
    sample("aws-access-key", "id = '", format!("AK{}{}", "IA", upper(16)), "'");
    sample("aws-secret-key", "aws_secret_access_key = ", mixed(40, 1), "");
    sample("aws-marketplace-token", "mws: ", format!("amzn.{}.{}", "mws", uuid(2)), "");
    let begin = format!("-----BEGIN {} KEY-----", "PRIVATE");
    sample(
        "gcp-service-account",
        &format!("{{\"private_key\": \"{begin}\\n"),
        mixed(400, 3),
        &format!("\\n-----END {} KEY-----\"}}", "PRIVATE"),
    );
    sample("google-api-key", "key=", format!("AI{}{}", "za", mixed(35, 4)), "&x");
    sample("google-oauth-secret", "s: ", format!("GOC{}-{}", "SPX", mixed(28, 5)), "");
    let azure = format!("{}==", mixed(86, 6));
    sample("azure-storage-key", "AccountName=a;Account", format!("Key={azure}"), ";End");
    sample("azure-client-secret", "v: '", format!("{}8Q~{}", mixed(3, 7), mixed(33, 8)), "'");
    sample("digitalocean-token", "t ", format!("dop_{}_{}", "v1", hex(64, 9)), "");
    sample("heroku-api-key", "t ", format!("HR{}-{}", "KU", mixed(60, 10)), "");
    sample("heroku-legacy-key", "heroku_api_key: ", uuid(11), "");
    sample("cloudflare-origin-key", "k ", format!("v1.0-{}-{}", hex(24, 12), hex(146, 13)), "");
    sample("vault-token", "VAULT ", format!("hv{}.{}", "s", mixed(95, 14)), "");
    sample(
        "terraform-token",
        "t ",
        format!("{}.atlas{}.{}", mixed(14, 15), "v1", mixed(64, 16)),
        "",
    );
    sample("pulumi-token", "t ", format!("pu{}-{}", "l", hex(40, 17)), "");
    sample("databricks-token", "t ", format!("da{}{}", "pi", hex(32, 18)), "");
    sample("alibaba-access-key", "t ", format!("LT{}{}", "AI", mixed(20, 19)), "");
    samples
}

fn code() -> Samples {
    let mut samples = Vec::new();
    let mut sample = |rule, before: &str, value: String, after: &str| {
        samples.push((rule, format!("{before}{value}{after}"), value));
    };
    sample("github-token", "t ", format!("gh{}_{}", "p", mixed(36, 20)), "");
    let fine = format!("github_{}_{}_{}", "pat", mixed(22, 21), mixed(59, 22));
    sample("github-fine-grained-token", "t ", fine, "");
    sample("github-oauth-token", "t ", format!("gh{}_{}", "o", mixed(36, 23)), "");
    sample("github-app-token", "t ", format!("gh{}_{}", "s", mixed(36, 24)), "");
    sample("gitlab-token", "t ", format!("gl{}-{}", "pat", mixed(20, 25)), "");
    sample("npm-token", "t ", format!("np{}_{}", "m", mixed(36, 26)), "");
    sample("npmrc-auth", "//registry.test/:_authToken=", mixed(36, 27), "\n");
    sample("pypi-token", "t ", format!("py{}-AgEIcHlwaS5vcmc{}", "pi", mixed(120, 28)), "");
    sample("crates-io-token", "t ", format!("ci{}{}", "o", mixed(32, 29)), "");
    sample("rubygems-token", "t ", format!("ruby{}_{}", "gems", hex(48, 30)), "");
    let lower = random(&format!("{LOWER}{DIGITS}"), 43, 31);
    sample("nuget-key", "t ", format!("oy{}{lower}", 2), "");
    sample("docker-hub-token", "t ", format!("dckr_{}_{}", "pat", mixed(27, 32)), "");
    sample("atlassian-token", "t ", format!("ATA{}{}", "TT3", mixed(180, 33)), "");
    let letters = random(&format!("{LOWER}{UPPER}"), 34, 34);
    sample("hugging-face-token", "t ", format!("h{}_{letters}", "f"), "");
    sample("postman-key", "t ", format!("PM{}-{}-{}", "AK", hex(24, 35), hex(34, 36)), "");
    sample("linear-key", "t ", format!("lin_{}_{}", "api", mixed(40, 37)), "");
    sample("supabase-token", "t ", format!("sb{}_{}", "p", hex(40, 38)), "");
    samples
}

fn services() -> Samples {
    let mut samples = Vec::new();
    let mut sample = |rule, before: &str, value: String, after: &str| {
        samples.push((rule, format!("{before}{value}{after}"), value));
    };
    let slack = format!("xo{}-{}-{}-{}", "xb", digits(12), digits(12), mixed(24, 39));
    sample("millrace-api-key", "MILLRACE_KEY=", format!("m{}{}", "r_", mixed(43, 61)), "");
    sample("slack-token", "t ", slack, "");
    let hook = format!(
        "https://hooks.{}.com/services/T{}/B{}/{}",
        "slack",
        upper(9),
        upper(9),
        mixed(24, 40)
    );
    sample("slack-webhook", "u ", hook, "");
    sample("stripe-live-key", "t ", format!("sk_{}_{}", "live", mixed(24, 41)), "");
    sample("stripe-webhook-secret", "t ", format!("wh{}_{}", "sec", mixed(32, 42)), "");
    sample("square-token", "t ", format!("sq0{}-{}", "atp", mixed(22, 43)), "");
    sample("shopify-token", "t ", format!("shp{}_{}", "at", hex(32, 44)), "");
    sample("sendgrid-key", "t ", format!("S{}.{}.{}", "G", mixed(22, 45), mixed(43, 46)), "");
    sample("mailgun-key", "mailgun ", format!("ke{}-{}", "y", hex(32, 47)), "");
    sample("mailchimp-key", "t ", format!("{}-us{}", hex(32, 48), 12), "");
    sample("twilio-key", "twilio ", format!("S{}{}", "K", hex(32, 49)), "");
    sample("twilio-auth-token", "twilio_auth_token = ", hex(32, 50), "");
    sample("telegram-bot-token", "t ", format!("{}:A{}{}", digits(9), "A", mixed(33, 51)), "");
    let hook = format!("https://{}.com/api/webhooks/{}/{}", "discord", digits(18), mixed(68, 52));
    sample("discord-webhook", "u ", hook, "");
    let bot = format!("{}{}.{}.{}", "M", mixed(23, 53), mixed(6, 54), mixed(27, 55));
    sample("discord-bot-token", "discord ", bot, "");
    let openai = format!("sk-{}T3Blbk{}{}", mixed(20, 56), "FJ", mixed(20, 57));
    sample("openai-key", "t ", openai, "");
    sample("anthropic-key", "t ", format!("sk-{}-api03-{}", "ant", mixed(95, 58)), "");
    sample("grafana-token", "t ", format!("gl{}_{}_{}", "sa", mixed(32, 59), hex(8, 60)), "");
    sample("new-relic-key", "t ", format!("NR{}-{}", "AK", upper(27)), "");
    sample("sentry-token", "t ", format!("sntry{}_{}", "u", hex(64, 61)), "");
    sample("figma-token", "t ", format!("fi{}_{}", "gd", mixed(40, 62)), "");
    samples
}

fn data() -> Samples {
    let mut samples = Vec::new();
    let mut sample = |rule, before: &str, value: String, after: &str| {
        samples.push((rule, format!("{before}{value}{after}"), value));
    };
    for (kind, seed) in [("RSA ", 63), ("EC ", 64), ("OPENSSH ", 65), ("", 66)] {
        let begin = format!("-----BEGIN {kind}{} KEY-----\n", "PRIVATE");
        sample("private-key", &begin, mixed(200, seed), "\n-----END");
    }
    let pgp = format!("-----BEGIN PGP {} KEY BLOCK-----\nVersion: GnuPG v2\n\n", "PRIVATE");
    sample("private-key", &pgp, mixed(200, 67), "\n-----END");
    let encrypted = format!("-----BEGIN ENCRYPTED {} KEY-----\n", "PRIVATE");
    sample("encrypted-private-key", &encrypted, mixed(200, 68), "\n-----END");
    let age = random("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58, 69);
    sample("age-secret-key", "", format!("AGE-SECRET-{}-1{age}", "KEY"), "");
    sample("wireguard-private-key", "PrivateKey = ", format!("{}=", mixed(43, 70)), "");
    let token = format!("ey{}{}.eyJ{}.{}", "J", mixed(30, 71), mixed(60, 72), mixed(43, 73));
    sample("json-web-token", "t ", token, "");
    sample("database-url", "postgres://app:", mixed(9, 74), "@db.internal/app");
    sample("url-password", "https://deploy:", mixed(12, 75), "@git.internal/x");
    sample("netrc-password", "machine git.internal\n login me\n password ", mixed(14, 76), "\n");
    sample("assigned-secret", "\"client_secret\": \"", mixed(32, 77), "\"");
    sample("environment-secret", "SESSION_SECRET=", mixed(32, 78), "\n");
    samples
}
