//! Connections that are no use to anybody end, and those that work stay.

use std::time::Duration;

use meshgate::gateway::Admission;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use crate::harness::Mesh;
use crate::harness::wire::{Served, Setting};

const MESH: &str = include_str!("fixtures/regions.txt");
/// Far beyond what a busy machine needs.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn silent_clients_give_their_places_back() {
    let admission = Admission { connections: 4, from_one_address: 4, preface: Duration::from_millis(400) };
    let setting = Setting { admission, ..Setting::default() };
    let served = Served::start_on(Mesh::new(MESH).await, MESH, setting).await;
    let mut ana = served.connect("ana").await;
    for _ in 0..2 {
        let mut silent = Vec::new();
        // More than there are places.
        for _ in 0..8 {
            silent.push(TcpStream::connect(served.address).await.unwrap());
        }
        assert_eq!(ana.fetch("SELECT 1 AS one").await.unwrap(), "one Int64\n1");
        for client in &mut silent {
            let read = tokio::time::timeout(PATIENCE, client.read(&mut [0])).await.expect("it is closed");
            assert!(matches!(read, Ok(0) | Err(_)));
        }
        assert_eq!(served.connect("bob").await.fetch("SELECT 1 AS one").await.unwrap(), "one Int64\n1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_logged_in_keep_their_places() {
    // Whoever gets a place keeps it, silent or not.
    let admission = Admission { connections: 2, from_one_address: 2, preface: Duration::from_mins(10) };
    let setting = Setting { admission, ..Setting::default() };
    let served = Served::start_on(Mesh::new(MESH).await, MESH, setting).await;
    let mut ana = served.connect("ana").await;
    let mut stranger = TcpStream::connect(served.address).await.unwrap();
    let mut bob = served.connect("bob").await;
    let read = tokio::time::timeout(PATIENCE, stranger.read(&mut [0])).await.expect("bob has its place");
    assert!(matches!(read, Ok(0) | Err(_)));
    let mut late = TcpStream::connect(served.address).await.unwrap();
    let read = tokio::time::timeout(PATIENCE, late.read(&mut [0])).await.expect("nobody makes room");
    assert!(matches!(read, Ok(0) | Err(_)));
    for client in [&mut ana, &mut bob] {
        assert_eq!(client.fetch("SELECT 1 AS one").await.unwrap(), "one Int64\n1");
    }
}
