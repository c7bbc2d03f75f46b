import java.lang.reflect.Method;
import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.ResultSetMetaData;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Types;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * What tools do through the JDBC driver, a line for each answer: `name: answer`. Run as one file, with the driver on the class path.
 * Its arguments are the URL and, where no more than one statement is to be asked, that statement.
 */
public class Probe {
    interface Step {
        Object run() throws Exception;
    }

    static void tell(String name, Step step) {
        Object answer;
        try {
            answer = step.run();
        } catch (Exception error) {
            Throwable cause = error;
            while (cause.getCause() != null) {
                cause = cause.getCause();
            }
            answer = "error " + String.valueOf(cause.getMessage()).split("\n")[0];
        }
        System.out.println(name + ": " + answer);
    }

    static List<String> rows(ResultSet results, String... columns) throws SQLException {
        List<String> rows = new ArrayList<>();
        try (results) {
            ResultSetMetaData described = results.getMetaData();
            while (results.next()) {
                List<String> row = new ArrayList<>();
                if (columns.length == 0) {
                    for (int at = 1; at <= described.getColumnCount(); at++) {
                        row.add(String.valueOf(results.getObject(at)));
                    }
                }
                for (String column : columns) {
                    row.add(String.valueOf(results.getObject(column)));
                }
                rows.add(String.join(" ", row));
            }
        }
        return rows;
    }

    /** The questions without arguments that are not answered. */
    static List<String> fails(DatabaseMetaData meta) {
        List<String> fails = new ArrayList<>();
        for (Method method : DatabaseMetaData.class.getMethods()) {
            if (method.getParameterCount() > 0) {
                continue;
            }
            try {
                Object answer = method.invoke(meta);
                if (answer instanceof ResultSet results) {
                    rows(results);
                }
            } catch (Exception error) {
                fails.add(method.getName());
            }
        }
        Collections.sort(fails);
        return fails;
    }

    interface Setter {
        void set(PreparedStatement statement) throws SQLException;
    }

    /** Whether a parameter of the type of `value` takes what a setter gives. */
    static void setter(Connection connection, String name, String value, Setter setter) {
        tell("set " + name, () -> {
            try (PreparedStatement statement = connection.prepareStatement("select count(*) as n from (values (1)) v(x) where " + value + " = ?")) {
                setter.set(statement);
                return rows(statement.executeQuery());
            }
        });
    }

    static void setters(Connection connection) {
        setter(connection, "Byte", "cast(x + 6 as tinyint)", s -> s.setByte(1, (byte) 7));
        setter(connection, "Short", "cast(x + 6 as smallint)", s -> s.setShort(1, (short) 7));
        setter(connection, "Int", "cast(x + 6 as int)", s -> s.setInt(1, 7));
        setter(connection, "Int of a bigint", "cast(x + 6 as bigint)", s -> s.setInt(1, 7));
        setter(connection, "Long", "cast(x + 6 as bigint)", s -> s.setLong(1, 7));
        setter(connection, "Float", "cast(x + 0.5 as real)", s -> s.setFloat(1, 1.5f));
        setter(connection, "Double", "cast(x + 0.5 as double)", s -> s.setDouble(1, 1.5));
        setter(connection, "BigDecimal", "cast(x + 0.5 as decimal(10, 2))", s -> s.setBigDecimal(1, new BigDecimal("1.50")));
        setter(connection, "Boolean", "(x = 1)", s -> s.setBoolean(1, true));
        setter(connection, "String", "cast(x as varchar)", s -> s.setString(1, "1"));
        setter(connection, "Bytes", "cast(cast(x as varchar) as bytea)", s -> s.setBytes(1, new byte[] {'1'}));
        setter(connection, "Date", "(case x when 1 then date '2026-01-01' end)", s -> s.setDate(1, java.sql.Date.valueOf("2026-01-01")));
        setter(connection, "Time", "(case x when 1 then time '10:00:00' end)", s -> s.setTime(1, java.sql.Time.valueOf("10:00:00")));
        setter(connection, "Timestamp", "(case x when 1 then timestamp '2026-01-01T10:00:00' end)", s -> s.setTimestamp(1, java.sql.Timestamp.valueOf("2026-01-01 10:00:00")));
        setter(connection, "Object", "cast(x + 6 as bigint)", s -> s.setObject(1, 7L));
        setter(connection, "Null", "x", s -> s.setNull(1, Types.BIGINT));
    }

    public static void main(String[] arguments) throws Exception {
        try (Connection connection = DriverManager.getConnection(arguments[0])) {
            if (arguments.length > 1) {
                try (Statement statement = connection.createStatement()) {
                    tell("answer", () -> rows(statement.executeQuery(arguments[1])));
                }
                return;
            }
            DatabaseMetaData meta = connection.getMetaData();
            tell("product", meta::getDatabaseProductName);
            tell("quote", meta::getIdentifierQuoteString);
            tell("read-only", meta::isReadOnly);
            tell("transactions", meta::supportsTransactions);
            tell("types of tables", () -> rows(meta.getTableTypes()));
            tell("catalogs", () -> rows(meta.getCatalogs()));
            tell("schemas", () -> rows(meta.getSchemas(), "TABLE_SCHEM"));
            tell("tables", () -> rows(meta.getTables(null, "sales", "%", null), "TABLE_NAME", "TABLE_TYPE"));
            tell("tables of Metabase", () -> rows(meta.getTables(null, "sales", "order%", new String[] {"TABLE", "VIEW", "FOREIGN TABLE"}), "TABLE_NAME"));
            tell("columns", () -> rows(meta.getColumns(null, "sales", "customers", "%"), "COLUMN_NAME", "DATA_TYPE", "TYPE_NAME"));
            tell("primary key", () -> rows(meta.getPrimaryKeys(null, "sales", "order_lines"), "COLUMN_NAME", "KEY_SEQ"));
            tell("imported keys", () -> rows(meta.getImportedKeys(null, "sales", "orders"), "PKTABLE_NAME", "PKCOLUMN_NAME", "FKCOLUMN_NAME"));
            tell("exported keys", () -> rows(meta.getExportedKeys(null, "sales", "orders"), "FKTABLE_SCHEM", "FKTABLE_NAME"));
            tell("cross reference", () -> rows(meta.getCrossReference(null, "sales", "orders", null, "logistics", "shipments"), "FKCOLUMN_NAME"));
            tell("procedures", () -> rows(meta.getProcedures(null, null, "%")));
            tell("functions", () -> rows(meta.getFunctions(null, null, "%")));
            tell("methods that fail", () -> fails(meta));
            tell("converts", meta::supportsConvert);
            tell("functions of texts", meta::getStringFunctions);
            tell("indexes", () -> rows(meta.getIndexInfo(null, "sales", "orders", false, true)));

            try (Statement statement = connection.createStatement()) {
                tell("one", () -> rows(statement.executeQuery("select 1")));
                tell("regions", () -> rows(statement.executeQuery("select region, count(*) as n from sales.customers group by region order by region")));
                tell("hidden column", () -> rows(statement.executeQuery("select credit_limit from sales.customers")));
                tell("probe of Metabase", () -> rows(statement.executeQuery("SELECT TRUE AS \"_\" FROM sales.orders WHERE 1 <> 1 LIMIT 0")));
                tell("label", () -> statement.executeQuery("select amount as \"Total\" from sales.orders limit 1").getMetaData().getColumnLabel(1));
                tell("not SQL", () -> rows(statement.executeQuery("selec 1")));
                tell("after an error", () -> rows(statement.executeQuery("select 2")));
                tell("set", () -> statement.execute("set schema = 'sales'"));
                tell("bare name", () -> rows(statement.executeQuery("select count(*) > 0 from orders")));
                tell("reset", () -> statement.execute("reset schema"));
                tell("write", () -> statement.executeUpdate("delete from sales.orders"));
            }
            try (PreparedStatement statement = connection.prepareStatement("select ? as i, ? as t, ? as d, ? as b, ? as n")) {
                tell("parameters", () -> statement.getParameterMetaData().getParameterCount());
                statement.setString(1, "7");
                statement.setString(2, "it's");
                statement.setString(3, "1.50");
                statement.setString(4, "true");
                statement.setNull(5, Types.VARCHAR);
                tell("bound", () -> rows(statement.executeQuery()));
            }
            setters(connection);
            String typed = "select count(*) as n from sales.orders where order_id >= ? and amount > ? and region = ? and ordered_at < ?";
            try (PreparedStatement statement = connection.prepareStatement(typed)) {
                for (String region : new String[] {"EU", "US"}) {
                    statement.setLong(1, 0);
                    statement.setBigDecimal(2, new BigDecimal("0.00"));
                    statement.setString(3, region);
                    statement.setTimestamp(4, java.sql.Timestamp.valueOf("2100-01-01 00:00:00"));
                    tell("typed " + region, () -> rows(statement.executeQuery()));
                }
            }
            try (Statement statement = connection.createStatement()) {
                tell("million", () -> {
                    long count = 0;
                    long sum = 0;
                    try (ResultSet results = statement.executeQuery("select unnest(range(0, 1000000)) as n")) {
                        while (results.next()) {
                            count += 1;
                            sum += results.getLong(1);
                        }
                    }
                    return count + " " + sum;
                });
                tell("in time", () -> {
                    long begun = System.currentTimeMillis();
                    try (Statement slow = connection.createStatement()) {
                        slow.setQueryTimeout(1);
                        rows(slow.executeQuery("select count(*) from range(0, 10000000) a, range(0, 10000000) b where a.value + b.value < 0"));
                        return "answered";
                    } catch (SQLException late) {
                        return System.currentTimeMillis() - begun < 30000 ? "ended" : "late";
                    }
                });
                tell("cancelled", () -> {
                    ResultSet results = statement.executeQuery("select unnest(range(0, 1000000)) as n");
                    results.next();
                    statement.cancel();
                    return "done";
                });
            }
            try (Statement statement = connection.createStatement()) {
                tell("after a cancel", () -> rows(statement.executeQuery("select 3")));
            }
        }
        System.out.println("closed");
    }
}
