//! D30: a ticket is good for its principal, whole, for a while, and never for more than policy allows today.

use std::time::Duration;

use arrow_flight::sql::{ProstMessageExt, TicketStatementQuery};
use bytes::Bytes;
use prost::Message;
use tonic::Status;

use super::seat::{Seat, query, ticket, told};
use super::world::{Condition, Source, world};
use crate::harness::Mesh;
use crate::harness::wire::{Served, Setting};

const SQL: &str = "SELECT order_id, region FROM sales.orders ORDER BY order_id";

/// A name, and how bytes are made of a good ticket.
type Form = (&'static str, fn(&[u8]) -> Vec<u8>);

/// None of these is a ticket.
const FORMS: &[Form] = &[
    ("empty", |_| Vec::new()),
    ("half", |good| good[..good.len() / 2].to_vec()),
    ("without the last byte", |good| good[..good.len() - 1].to_vec()),
    ("one byte more", |good| [good, &[0]].concat()),
    ("backwards", |good| good.iter().rev().copied().collect()),
    ("zeroes", |good| vec![0; good.len()]),
    ("the statement", |_| SQL.as_bytes().to_vec()),
    ("the statement in a ticket", |_| TicketStatementQuery { statement_handle: SQL.into() }.as_any().encode_to_vec()),
    ("an empty ticket", |_| TicketStatementQuery { statement_handle: Bytes::new() }.as_any().encode_to_vec()),
    ("the command", |_| query(SQL).encode_to_vec()),
    ("JSON", |_| b"{\"sql\": \"SELECT 1\", \"principal\": \"dpo\"}".to_vec()),
];

async fn served(key: [u8; 32]) -> Served {
    let text = world(false, Condition::Equality, Source::Parquet);
    Served::start_on(Mesh::new(&text).await, &text, Setting { ticket_key: key, ..Setting::default() }).await
}

async fn issued(seat: &mut Seat) -> Bytes {
    ticket(&seat.info(&query(SQL)).await.unwrap())
}

fn refused(what: &str, answer: Result<String, Status>) -> String {
    let text = told(&answer.expect_err(what));
    assert!(!text.contains("orders") && !text.contains("EU"), "{what}: {text}");
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_the_ticket_is_one_answer() {
    let served = served([1; 32]).await;
    let mut ana = Seat::take(&served, "ana").await;
    let good = issued(&mut ana).await;
    assert!(!good.windows(6).any(|bytes| bytes == b"orders"), "the ticket shows its statement");
    let mut answers = Vec::new();
    for (name, form) in FORMS {
        answers.push(refused(name, ana.get(form(&good)).await));
    }
    for at in 0..good.len() {
        let mut bytes = good.to_vec();
        bytes[at] ^= 1;
        let answer = refused(&format!("flipped byte {at}"), ana.get(bytes).await);
        answers.push(answer);
    }
    // A flipped byte of the frame around the seal is another unreadable message; both are one text.
    answers.sort();
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:#?}");
    assert!(ana.get(good).await.unwrap().contains("8 | EU"), "the ticket itself is good");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_is_of_one_principal_one_key_and_some_minutes() {
    let (here, replica, elsewhere) = (served([1; 32]).await, served([1; 32]).await, served([2; 32]).await);
    let mut ana = Seat::take(&here, "ana").await;
    let good = issued(&mut ana).await;
    for thief in ["ann", "dpo", "two", "eve"] {
        for place in [&here, &replica] {
            let mut seat = Seat::take(place, thief).await;
            refused(thief, seat.get(good.clone()).await);
        }
    }
    // Whoever may see all and less does not lend it: a ticket of the owner is nothing to others.
    let all = issued(&mut Seat::take(&here, "dpo").await).await;
    refused("the owner's", ana.get(all.clone()).await);
    refused("the owner's, elsewhere", Seat::take(&elsewhere, "dpo").await.get(all).await);
    let mut ana_there = Seat::take(&elsewhere, "ana").await;
    refused("another key", ana_there.get(good.clone()).await);
    // On another gateway with the key it is planned again, under the rights of whom it was issued to.
    let mut ana_at_replica = Seat::take(&replica, "ana").await;
    let rows = ana_at_replica.get(good.clone()).await.unwrap();
    assert!(rows.contains("8 | EU") && !rows.contains("hidden"), "{rows}");
    here.mesh.clock.advance(Duration::from_secs(10_000));
    let mut ana = Seat::take(&here, "ana").await;
    refused("expired", ana.get(good).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ticket_runs_under_the_policy_of_today() {
    let served = served([3; 32]).await;
    let mut ana = Seat::take(&served, "ana").await;
    let text = world(false, Condition::Equality, Source::Parquet);
    let [first, second, third] = [issued(&mut ana).await, issued(&mut ana).await, issued(&mut ana).await];
    let stricter = "resource.region == principal.region && resource has amount && resource.amount > 50";
    served.mesh.reload(&text.replace("resource.region == principal.region", stricter));
    let rows = ana.get(first).await.unwrap();
    assert!(rows.contains("6 | EU") && !rows.contains("1 | EU"), "{rows}");
    let hidden = "}; @id(\"more\") forbid (principal, action == Action::\"read\", resource is sales::orders) when { context.column.name == \"region\" };\n@id(\"desk\")";
    served.mesh.reload(&text.replace("};\n@id(\"desk\")", hidden));
    refused("a column less", ana.get(second).await);
    served.mesh.reload(&text.replace("@id(\"analysts\") permit", "@id(\"analysts\") forbid"));
    let gone = told(&ana.get(third).await.unwrap_err());
    assert!(gone.contains("there is no table"), "{gone}");
}
