//! A client of Arrow Flight SQL that counts what it gets.

use std::time::{Duration, Instant};

use arrow_flight::error::Result;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::{FlightInfo, Ticket};
use futures::TryStreamExt;
use tonic::transport::{Channel, Endpoint};

pub struct Client(FlightSqlServiceClient<Channel>);

/// What came, and when.
#[derive(Debug, Clone, Copy, Default)]
pub struct Fetched {
    pub rows: usize,
    pub bytes: usize,
    /// From the request for rows, which a plan has, to the first that came.
    pub first: Duration,
    pub whole: Duration,
}

impl Fetched {
    /// In GB/s of Arrow buffers.
    pub fn speed(&self) -> f64 {
        self.bytes as f64 / self.whole.as_secs_f64() / 1e9
    }
}

impl Client {
    /// A connection without a login.
    pub async fn connect(address: &str) -> Self {
        let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap().tcp_nodelay(true);
        Self(FlightSqlServiceClient::new(endpoint.connect().await.unwrap()))
    }

    /// A login; the password of each user is its name.
    pub async fn login(address: &str, user: &str) -> Self {
        let mut client = Self::connect(address).await;
        client.0.handshake(user, user).await.unwrap();
        client
    }

    pub async fn plan(&mut self, sql: &str) -> FlightInfo {
        self.0.execute(sql.to_owned(), None).await.unwrap_or_else(|error| panic!("{error}\n{sql}"))
    }

    pub async fn prepare(&mut self, sql: &str) {
        self.0.prepare(sql.to_owned(), None).await.unwrap().close().await.unwrap();
    }

    /// Plans and fetches, and drops the rows as they come.
    pub async fn ask(&mut self, sql: &str) -> Fetched {
        self.try_ask(sql).await.unwrap_or_else(|error| panic!("{error}\n{sql}"))
    }

    /// The same of a server that may refuse.
    pub async fn try_ask(&mut self, sql: &str) -> Result<Fetched> {
        let started = Instant::now();
        let info = self.0.execute(sql.to_owned(), None).await?;
        let fetched = self.try_fetch(ticket(&info)).await?;
        Ok(Fetched { whole: started.elapsed(), ..fetched })
    }

    pub async fn fetch(&mut self, ticket: Ticket) -> Fetched {
        self.try_fetch(ticket).await.unwrap()
    }

    async fn try_fetch(&mut self, ticket: Ticket) -> Result<Fetched> {
        let started = Instant::now();
        let mut stream = self.0.do_get(ticket).await?;
        let mut fetched = Fetched::default();
        while let Some(batch) = stream.try_next().await? {
            if fetched.rows == 0 {
                fetched.first = started.elapsed();
            }
            fetched.rows += batch.num_rows();
            // Of what was sent: the columns of a frame share its buffer.
            let sizes = batch.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap());
            fetched.bytes += sizes.sum::<usize>();
        }
        Ok(Fetched { whole: started.elapsed(), ..fetched })
    }

    /// One call that plans and one that fetches, of an answer that is known beforehand.
    pub async fn empty_pair(&mut self) {
        let info = self.0.get_table_types().await.unwrap();
        self.fetch(ticket(&info)).await;
    }

    /// All tables with their schemas, or those of one name.
    pub async fn tables(&mut self, name: Option<&str>) -> Fetched {
        let command = arrow_flight::sql::CommandGetTables {
            table_name_filter_pattern: name.map(str::to_owned),
            include_schema: true,
            ..Default::default()
        };
        let started = Instant::now();
        let info = self.0.get_tables(command).await.unwrap();
        Fetched { whole: started.elapsed(), ..self.fetch(ticket(&info)).await }
    }
}

fn ticket(info: &FlightInfo) -> Ticket {
    info.endpoint[0].ticket.clone().unwrap()
}
