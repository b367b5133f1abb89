//! Archives that cannot be read.

use super::*;
use crate::engine::stream::Following;
use crate::rules::records::reading::Reading;
use crate::rules::records::searcher::Searcher;

/// A stream of an archive.
fn archive() -> Stream {
    let path: Arc<Path> = Path::new("/logs/app.log.1.gz").into();
    let searcher = Searcher::of(Reading::default(), vec![], vec![], &Arc::default());
    let following = Arc::new(Following {
        rules: Vec::new(),
        searched: Vec::new(),
        searcher: Arc::new(searcher),
    });
    Stream::new(StreamId(1), path, &Facts::default(), following)
}

#[test]
fn an_archive_is_tried_again_ever_more_slowly_and_then_given_up() {
    let mut stream = archive();
    let mut now = Moment(0);
    for (n, wait_secs) in [1, 2, 4, 8, 16, 16, 16].into_iter().enumerate() {
        let n_tries = n + 1;
        assert_eq!(stream.tries_again(now), n_tries < 7, "{n_tries}");
        let retry = stream.unread.as_ref().and_then(|unread| unread.retry);
        now = now.after(Duration::from_secs(wait_secs));
        assert_eq!(retry, Some(now), "{n_tries}");
    }
}

/// While it is being made, each write brings a hint.
#[test]
fn a_file_that_hints_hurry_is_not_given_up_sooner() {
    let mut stream = archive();
    for millis in 0..500 {
        let now = Moment(0).after(Duration::from_millis(millis));
        assert!(stream.tries_again(now), "{millis} ms");
    }
}
