# A database of 10,000 rows: record locks, a journal, a shared memory index, two programs at once.
sqlite3 x.db "create table t(id integer primary key, v text); begin;
with recursive c(i) as (select 1 union all select i + 1 from c where i < 10000) insert into t select i, printf('v%d', i) from c; commit;
select count(*), sum(id), max(v) from t; create index ix on t(v); select id from t where v = 'v777'; pragma integrity_check;"
sqlite3 x.db "begin immediate; delete from t where id % 2; rollback; select count(*) from t; pragma journal_mode=wal; insert into t values(20000, 'wal'); select count(*) from t;"
for i in 1 2 3; do sqlite3 -cmd '.timeout 20000' x.db "insert into t(v) values('process $i');" & done; wait
sqlite3 x.db "select count(*) from t where v like 'process%'; select v, count(*) over () from t where id > 20000 order by v;"
sqlite3 y.db "attach 'x.db' as x; create table z as select id, json_object('v', v) j from x.t where id < 4; select json_extract(j, '\$.v') from z;" && sqlite3 y.db .dump | head -n 3
sqlite3 x.db "pragma journal_mode=delete; vacuum; pragma integrity_check;"; echo *
