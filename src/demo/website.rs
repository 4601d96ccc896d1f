//! A little website with the weaknesses that little websites have.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

const PATIENCE: Duration = Duration::from_secs(5);
const MAX_REQUEST_BYTES: usize = 16 * 1024;

const HOME: &str = "<!doctype html><html><head><title>Miller's Shop</title>\
    <meta name=\"generator\" content=\"ShopPress 1.4.2\">\
    <script src=\"http://cdn.example.com/cart.js\"></script></head><body>\
    <h1>Flour, fresh from the mill</h1>\
    <form action=\"/login\" method=\"post\"><input name=\"user\">\
    <input type=\"password\" name=\"password\"><button>Log in</button></form>\
    </body></html>";

const GIT_CONFIG: &str = "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\
    [remote \"origin\"]\n\turl = https://git.example.com/miller/shop.git\n";

const ENVIRONMENT: &str = "APP_ENV=production\nDB_HOST=db.internal\nDB_USER=shop\n\
    DB_PASSWORD=flour-and-water\nMAIL_FROM=shop@example.com\n";

/// Serves on a free port of this machine until the process ends; gives the address.
pub async fn serve() -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                // A visitor that went away is nobody's trouble.
                let _ = timeout(PATIENCE, answer(stream)).await;
            });
        }
    });
    Ok(format!("http://{address}/"))
}

async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        if stream.read_buf(&mut request).await? == 0 || request.len() > MAX_REQUEST_BYTES {
            return Ok(());
        }
    }
    let text = String::from_utf8_lossy(&request);
    let mut line = text.split(' ');
    let (method, path) = (line.next().unwrap_or_default(), line.next().unwrap_or_default());
    let (status, kind, body) = match path {
        "/" => ("200 OK", "text/html; charset=utf-8", HOME),
        "/.git/config" => ("200 OK", "text/plain", GIT_CONFIG),
        "/.env" => ("200 OK", "text/plain", ENVIRONMENT),
        _ => ("404 Not Found", "text/plain", "not found\n"),
    };
    let origin = text
        .lines()
        .find_map(|line| line.strip_prefix("origin: ").or_else(|| line.strip_prefix("Origin: ")));
    let cors = origin.map_or_else(String::new, |origin| {
        format!(
            "Access-Control-Allow-Origin: {origin}\r\nAccess-Control-Allow-Credentials: true\r\n"
        )
    });
    let head = format!(
        "HTTP/1.1 {status}\r\nServer: nginx/1.14.0\r\nX-Powered-By: PHP/7.2.1\r\n\
         Content-Type: {kind}\r\nContent-Length: {}\r\nSet-Cookie: session=5f2c9a17; Path=/\r\n\
         Allow: GET, HEAD, POST, PUT, DELETE\r\n{cors}Connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    if method != "HEAD" {
        stream.write_all(body.as_bytes()).await?;
    }
    stream.shutdown().await
}
