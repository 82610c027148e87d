scripts/netns.sh run MCAST_BENCH_IFACE=eth0 cargo bench --offline --locked --bench engine_tx -- --warm-up-time 1 --measurement-time 3 true
