-- one server, three databases: Dagster's storage is `dagster`
CREATE DATABASE lake;
CREATE DATABASE state;
