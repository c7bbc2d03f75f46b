//! D31: a prepared statement is of whoever prepared it, and runs under the policy of today.

use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use prost::Message;
use tonic::Status;

use super::seat::{Seat, executes, info_text, told};
use super::world::{Condition, Source, world};
use crate::harness::wire::Served;

const SQL: &str = "SELECT order_id, region FROM sales.orders ORDER BY order_id";

/// What may be done with a handle; binding of parameters joins when there is any.
type Use = for<'a> fn(&'a mut Seat, Bytes) -> BoxFuture<'a, Result<String, Status>>;
const USES: &[(&str, Use)] = &[
    ("describe", |seat, handle| async move { seat.schema(&executes(&handle)).await }.boxed()),
    ("execute", |seat, handle| async move { seat.info(&executes(&handle)).await.map(|info| info_text(&info)) }.boxed()),
    ("fetch", |seat, handle| async move { seat.get(executes(&handle).encode_to_vec()).await }.boxed()),
    ("close", |seat, handle| async move { seat.close(handle).await.map(|()| "closed".to_owned()) }.boxed()),
];

#[tokio::test(flavor = "multi_thread")]
async fn a_handle_of_another_is_no_handle() {
    let served = Served::start(&world(false, Condition::Equality, Source::Parquet)).await;
    let mut ana = Seat::take(&served, "ana").await;
    let (handle, _) = ana.prepare(SQL).await.unwrap();
    let never = Bytes::from_static(&[7; 16]);
    for thief in ["ann", "dpo", "eve"] {
        let mut seat = Seat::take(&served, thief).await;
        for (name, used) in USES {
            let told = |answer: Result<String, Status>| answer.unwrap_or_else(|status| told(&status));
            let (foreign, unknown) =
                (told(used(&mut seat, handle.clone()).await), told(used(&mut seat, never.clone()).await));
            assert_eq!(foreign, unknown, "{thief}: {name}");
            assert!(!foreign.contains("order_id") && !foreign.contains("EU"), "{thief}: {name}: {foreign}");
        }
    }
    // Nobody has closed it, and it works for whom it is.
    for (name, used) in USES {
        let answer = used(&mut ana, handle.clone()).await.unwrap_or_else(|status| panic!("{name}: {status}"));
        assert!(answer.contains("order_id") || *name == "close", "{name}: {answer}");
    }
    let (name, used) = USES[2];
    assert!(used(&mut ana, handle).await.is_err(), "{name} after it was closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handle_runs_under_the_policy_of_today() {
    let text = world(false, Condition::Equality, Source::Parquet);
    let served = Served::start(&text).await;
    let mut ana = Seat::take(&served, "ana").await;
    let (handle, _) = ana.prepare(SQL).await.unwrap();
    let (_, fetch) = USES[2];
    assert!(fetch(&mut ana, handle.clone()).await.unwrap().contains("1 | EU"));
    let stricter = "resource.region == principal.region && resource has amount && resource.amount > 50";
    served.mesh.reload(&text.replace("resource.region == principal.region", stricter));
    let rows = fetch(&mut ana, handle.clone()).await.unwrap();
    assert!(rows.contains("6 | EU") && !rows.contains("1 | EU"), "{rows}");
    served.mesh.reload(&text.replace("@id(\"analysts\") permit", "@id(\"analysts\") forbid"));
    for (name, used) in &USES[..3] {
        let gone = told(&used(&mut ana, handle.clone()).await.expect_err(name));
        assert!(gone.contains("there is no table"), "{name}: {gone}");
    }
    served.mesh.reload(&text);
    assert!(fetch(&mut ana, handle.clone()).await.unwrap().contains("1 | EU"), "rights that come back are used again");
}
