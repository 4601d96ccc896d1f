use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use proptest::{collection::vec, prelude::*};
use tokio::io::{AsyncRead, ReadBuf};

use crate::sandbox::output::{Budget, Lines};

const LONGEST: usize = 8;

/// Gives its pieces one by one, as a pipe may.
struct Pieces(std::vec::IntoIter<Vec<u8>>);

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(piece) = self.0.next() {
            buffer.put_slice(&piece);
        }
        Poll::Ready(Ok(()))
    }
}

fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![3 => Just(b'x'), 1 => Just(b'\n'), 1 => any::<u8>()]
}

proptest! {
    #![proptest_config(testkit::cases(2000))]

    #[test]
    fn lines_are_the_same_however_they_arrive(pieces in vec(vec(byte(), 1..40), 0..10)) {
        let whole = pieces.concat();
        let pipe = Pieces(pieces.into_iter());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let lines = runtime.block_on(async {
            let mut lines = Lines::new(pipe, LONGEST, Budget::new(1000));
            let mut read = Vec::new();
            while let Some(line) = lines.next().await {
                read.push((line.bytes, line.cut));
            }
            read
        });
        let whole = whole.strip_suffix(b"\n").unwrap_or(&whole).to_vec();
        let expected: Vec<_> = if whole.is_empty() && lines.is_empty() {
            Vec::new()
        } else {
            whole
                .split(|byte| *byte == b'\n')
                .map(|line| (line[..line.len().min(LONGEST)].to_vec(), line.len() > LONGEST))
                .collect()
        };
        prop_assert_eq!(lines, expected);
    }
}
