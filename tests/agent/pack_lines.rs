//! Lines that each shipped rule must hit, and near misses that it must not.
//!
//! Written by hand in the formats of the producers, with addresses from the ranges
//! kept for documentation.

/// The lines of one rule.
#[derive(Debug)]
pub(crate) struct PackLines {
    /// The pack, under `rules/`.
    pub(crate) file: &'static str,
    /// The rule's key.
    pub(crate) key: &'static str,
    /// Lines that are hits.
    pub(crate) must: &'static [&'static str],
    /// Lines that are none, though they look alike.
    pub(crate) must_not: &'static [&'static str],
}

/// All shipped rules.
pub(crate) const PACK_LINES: &[PackLines] = &[
    PackLines {
        file: "sshd.yaml",
        key: "sshd-failed-login",
        must: &[
            "Nov 21 10:02:11 web-01 sshd[4022]: Failed password for root from 192.0.2.7 port 40222 ssh2",
            "Nov 21 10:02:11 web-01 sshd-session[4022]: Failed password for deploy from 2001:db8::7 port 40222 ssh2",
            "2026-11-21T10:02:11.120733+01:00 web-01 sshd[4022]: Failed keyboard-interactive/pam for root from 192.0.2.7 port 40222 ssh2",
        ],
        must_not: &[
            "Nov 21 10:02:11 web-01 sshd[4022]: Failed password for invalid user admin from 192.0.2.7 port 40222 ssh2",
            "Nov 21 10:02:11 web-01 sshd[4022]: Failed publickey for deploy from 192.0.2.7 port 40222 ssh2: ED25519 SHA256:abc",
            "Nov 21 10:02:11 web-01 sshd[4022]: Failed none for root from 192.0.2.7 port 40222 ssh2",
            "Nov 21 10:02:11 web-01 sshd[4022]: Accepted password for root from 192.0.2.7 port 40222 ssh2",
            "Nov 21 10:02:11 web-01 app[17]: Failed password for root from 192.0.2.7 port 40222 ssh2",
        ],
    },
    PackLines {
        file: "sshd.yaml",
        key: "sshd-invalid-user",
        must: &[
            "Nov 21 10:02:11 web-01 sshd[4022]: Invalid user admin from 192.0.2.7 port 40222",
            "Nov 21 10:02:11 web-01 sshd[4022]: Invalid user  from 192.0.2.7 port 40222",
            "Nov 21 10:02:11 web-01 sshd-session[4022]: Invalid user x from 203.0.113.1 from 192.0.2.7 port 40222",
        ],
        must_not: &[
            "Nov 21 10:02:11 web-01 sshd[4022]: Failed password for invalid user admin from 192.0.2.7 port 40222 ssh2",
            "Nov 21 10:02:11 web-01 sshd[4022]: Connection closed by invalid user admin 192.0.2.7 port 40222 [preauth]",
        ],
    },
    PackLines {
        file: "sshd.yaml",
        key: "sshd-too-many-attempts",
        must: &[
            "Nov 21 10:02:11 web-01 sshd[4022]: error: maximum authentication attempts exceeded for root from 192.0.2.7 port 40222 ssh2 [preauth]",
            "Nov 21 10:02:11 web-01 sshd-session[4022]: error: maximum authentication attempts exceeded for invalid user admin from 192.0.2.7 port 40222 ssh2 [preauth]",
        ],
        must_not: &[
            "Nov 21 10:02:11 web-01 sshd[4022]: Disconnecting authenticating user root 192.0.2.7 port 40222: Too many authentication failures [preauth]",
        ],
    },
    PackLines {
        file: "sshd.yaml",
        key: "sshd-root-login",
        must: &[
            "Nov 21 10:02:11 web-01 sshd[4022]: Accepted publickey for root from 203.0.113.20 port 50222 ssh2: ED25519 SHA256:abc",
            "Nov 21 10:02:11 web-01 sshd-session[4022]: Accepted password for root from 203.0.113.20 port 50222 ssh2",
        ],
        must_not: &[
            "Nov 21 10:02:11 web-01 sshd[4022]: Accepted publickey for rooty from 203.0.113.20 port 50222 ssh2",
            "Nov 21 10:02:11 web-01 sshd[4022]: Failed password for root from 203.0.113.20 port 50222 ssh2",
        ],
    },
    PackLines {
        file: "sshd.yaml",
        key: "sshd-password-login",
        must: &[
            "Nov 21 10:02:11 web-01 sshd[4022]: Accepted password for deploy from 203.0.113.20 port 50222 ssh2",
            "Nov 21 10:02:11 web-01 sshd[4022]: Accepted keyboard-interactive/pam for deploy from 203.0.113.20 port 50222 ssh2",
        ],
        must_not: &[
            "Nov 21 10:02:11 web-01 sshd[4022]: Accepted password for root from 203.0.113.20 port 50222 ssh2",
            "Nov 21 10:02:11 web-01 sshd[4022]: Accepted publickey for deploy from 203.0.113.20 port 50222 ssh2: RSA SHA256:abc",
        ],
    },
    PackLines {
        file: "sshd.yaml",
        key: "sshd-broken",
        must: &[
            "Nov 21 10:02:11 web-01 sshd[812]: error: Bind to port 22 on 0.0.0.0 failed: Address already in use.",
            "Nov 21 10:02:11 web-01 sshd[812]: fatal: Cannot bind any address.",
            "Nov 21 10:02:11 web-01 sshd[812]: error: Could not load host key: /etc/ssh/ssh_host_ed25519_key",
            "Nov 21 10:02:11 web-01 sshd[812]: sshd: no hostkeys available -- exiting.",
            "Nov 21 10:02:11 web-01 sshd[812]: fatal: Missing privilege separation directory: /run/sshd",
        ],
        must_not: &[
            "Nov 21 10:02:11 web-01 sshd[812]: Server listening on 0.0.0.0 port 22.",
            "Nov 21 10:02:11 web-01 sshd[812]: error: kex_exchange_identification: Connection closed by remote host",
        ],
    },
    PackLines {
        file: "sshd.yaml",
        key: "sshd-throttled",
        must: &[
            "Nov 21 10:02:11 web-01 sshd[812]: error: beginning MaxStartups throttling",
            "Nov 21 10:02:11 web-01 sshd[812]: drop connection #10 from [192.0.2.7]:40222 on [198.51.100.1]:22 past MaxStartups",
        ],
        must_not: &[
            "Nov 21 10:02:11 web-01 sshd[812]: exited MaxStartups throttling after 00:01:10, 22 connections dropped",
        ],
    },
    PackLines {
        file: "sshd.yaml",
        key: "sshd-bad-modes",
        must: &[
            "Nov 21 10:02:11 web-01 sshd[4022]: Authentication refused: bad ownership or modes for directory /home/deploy/.ssh",
            "Nov 21 10:02:11 web-01 sshd-session[4022]: Authentication refused: bad ownership or modes for file /home/deploy/.ssh/authorized_keys",
        ],
        must_not: &[
            "Nov 21 10:02:11 web-01 sshd[4022]: Authentication tried for deploy with correct key but not from a permitted host",
        ],
    },
    PackLines {
        file: "kernel.yaml",
        key: "kernel-oom",
        must: &[
            "Nov 21 10:02:11 db-01 kernel: [81234.551010] Out of memory: Killed process 8812 (java) total-vm:9823412kB, anon-rss:7712340kB, file-rss:0kB, shmem-rss:0kB, UID:998 pgtables:15600kB oom_score_adj:0",
            "Nov 21 10:02:11 db-01 kernel: Memory cgroup out of memory: Killed process 8812 (Web Content) total-vm:9823412kB, anon-rss:7712340kB",
            "Nov 21 10:02:11 db-01 kernel: [   12.551010] Out of memory (oom_kill_allocating_task): Killed process 77 (sh) total-vm:1kB",
        ],
        must_not: &[
            "Nov 21 10:02:11 db-01 kernel: [81234.588210] oom_reaper: reaped process 8812 (java), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB",
            "Nov 21 10:02:11 db-01 kernel: [81234.100412] nginx invoked oom-killer: gfp_mask=0x1100cca(GFP_HIGHUSER_MOVABLE), order=0",
            "Nov 21 10:02:11 db-01 app[9]: Out of memory: Killed process 8812 (java)",
        ],
    },
    PackLines {
        file: "kernel.yaml",
        key: "kernel-io-error",
        must: &[
            "Nov 21 10:02:11 db-01 kernel: [  914.301350] I/O error, dev sdb, sector 71303168 op 0x0:(READ) flags 0x80700 phys_seg 1 prio class 2",
            "Nov 21 10:02:11 db-01 kernel: [  914.301350] blk_update_request: critical medium error, dev nvme0n1, sector 71303168",
            "Nov 21 10:02:11 db-01 kernel: Buffer I/O error on dev dm-0, logical block 8912896, async page read",
        ],
        must_not: &[
            "Nov 21 10:02:11 db-01 kernel: [  914.301350] I/O error, dev sr0, sector 0 op 0x0:(READ) flags 0x0 phys_seg 1 prio class 2",
            "Nov 21 10:02:11 db-01 kernel: [  914.301350] blk_update_request: I/O error, dev fd0, sector 0 op 0x0:(READ)",
            "Nov 21 10:02:11 db-01 kernel: [  914.301350] sd 2:0:0:0: [sdb] Attached SCSI disk",
        ],
    },
    PackLines {
        file: "kernel.yaml",
        key: "kernel-filesystem",
        must: &[
            "Nov 21 10:02:11 db-01 kernel: [  914.990112] EXT4-fs error (device sdb1): ext4_find_entry:1683: inode #131073: comm rsync: reading directory lblock 0",
            "Nov 21 10:02:11 db-01 kernel: [  914.990113] EXT4-fs (sdb1): Remounting filesystem read-only",
            "Nov 21 10:02:11 db-01 kernel: XFS (dm-1): Metadata corruption detected at xfs_agf_read_verify+0x1c/0x40 [xfs], xfs_agf block 0x1",
            "Nov 21 10:02:11 db-01 kernel: XFS (dm-1): Log I/O Error Detected. Shutting down filesystem",
            "Nov 21 10:02:11 db-01 kernel: BTRFS error (device sdc1: state EA): bdev /dev/sdc1 errs: wr 0, rd 12, flush 0, corrupt 0, gen 0",
        ],
        must_not: &[
            "Nov 21 10:02:11 db-01 kernel: [    2.990112] EXT4-fs (sdb1): mounted filesystem with ordered data mode",
            "Nov 21 10:02:11 db-01 kernel: XFS (dm-1): Ending clean mount",
            "Nov 21 10:02:11 db-01 kernel: BTRFS info (device sdc1): disk space caching is enabled",
        ],
    },
    PackLines {
        file: "kernel.yaml",
        key: "kernel-ata",
        must: &[
            "Nov 21 10:02:11 db-01 kernel: [  914.201200] ata2.00: failed command: READ FPDMA QUEUED",
            "Nov 21 10:02:11 db-01 kernel: [  914.201100] ata2.00: exception Emask 0x0 SAct 0x10 SErr 0x0 action 0x0",
            "Nov 21 10:02:11 db-01 kernel: [  914.201300] ata2: hard resetting link",
        ],
        must_not: &[
            "Nov 21 10:02:11 db-01 kernel: [    1.201300] ata3: SATA link down (SStatus 0 SControl 300)",
            "Nov 21 10:02:11 db-01 kernel: [    1.201300] ata2: SATA link up 6.0 Gbps (SStatus 133 SControl 300)",
        ],
    },
    PackLines {
        file: "kernel.yaml",
        key: "kernel-hung-task",
        must: &[
            "Nov 21 10:02:11 db-01 kernel: [ 1208.512345] INFO: task jbd2/sda1-8:312 blocked for more than 120 seconds.",
            "Nov 21 10:02:11 db-01 kernel: INFO: task kworker/u8:2:1234 blocked for more than 241 seconds.",
        ],
        must_not: &[
            "Nov 21 10:02:11 db-01 kernel: [ 1208.512345] \"echo 0 > /proc/sys/kernel/hung_task_timeout_secs\" disables this message.",
            "Nov 21 10:02:11 db-01 app[9]: INFO: task import:4 blocked for more than 120 seconds.",
        ],
    },
    PackLines {
        file: "kernel.yaml",
        key: "kernel-lockup",
        must: &[
            "Nov 21 10:02:11 db-01 kernel: [ 1208.512345] watchdog: BUG: soft lockup - CPU#3 stuck for 22s! [kworker/3:1:77]",
            "Nov 21 10:02:11 db-01 kernel: NMI watchdog: BUG: soft lockup - CPU#0 stuck for 23s! [java:8812]",
            "Nov 21 10:02:11 db-01 kernel: NMI watchdog: Watchdog detected hard LOCKUP on cpu 3",
            "Nov 21 10:02:11 db-01 kernel: rcu: INFO: rcu_sched self-detected stall on CPU",
            "Nov 21 10:02:11 db-01 kernel: rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
        ],
        must_not: &[
            "Nov 21 10:02:11 db-01 kernel: [    0.512345] NMI watchdog: Enabled. Permanently consumes one hw-PMU counter.",
        ],
    },
    PackLines {
        file: "kernel.yaml",
        key: "kernel-bug",
        must: &[
            "Nov 21 10:02:11 db-01 kernel: [ 1208.512345] BUG: unable to handle page fault for address: ffffb1c0c0a3f000",
            "Nov 21 10:02:11 db-01 kernel: BUG: kernel NULL pointer dereference, address: 0000000000000008",
            "Nov 21 10:02:11 db-01 kernel: kernel BUG at fs/ext4/inode.c:2738!",
            "Nov 21 10:02:11 db-01 kernel: Oops: 0002 [#1] PREEMPT SMP NOPTI",
            "Nov 21 10:02:11 db-01 kernel: Kernel panic - not syncing: Fatal exception in interrupt",
        ],
        must_not: &[
            "Nov 21 10:02:11 db-01 kernel: [ 1208.512345] watchdog: BUG: soft lockup - CPU#3 stuck for 22s! [kworker/3:1:77]",
            "Nov 21 10:02:11 db-01 kernel: [ 1208.512345] traps: node[77] general protection fault ip:7f00 sp:7ffe error:0 in libc.so.6[7f00+1]",
        ],
    },
    PackLines {
        file: "kernel.yaml",
        key: "kernel-segfault",
        must: &[
            "Nov 21 10:02:11 web-01 kernel: [ 1208.512345] php-fpm8.2[7712]: segfault at 7ffd12a0 ip 000055d3a1b0c0de sp 00007ffd129ffe80 error 6 in php-fpm8.2[55d3a1a00000+400000]",
            "Nov 21 10:02:11 web-01 kernel: traps: node[77] general protection fault ip:7f00 sp:7ffe error:0 in libc.so.6[7f00+1]",
            "Nov 21 10:02:11 web-01 kernel: traps: worker[78] trap invalid opcode ip:55d3 sp:7ffd error:0 in worker[55d3+1000]",
        ],
        must_not: &[
            "Nov 21 10:02:11 web-01 kernel: [ 1208.512345] Code: 00 00 48 8b 07 c3 66 2e 0f 1f 84",
            "Nov 21 10:02:11 web-01 systemd-coredump[99]: Process 7712 (php-fpm8.2) of user 33 dumped core.",
        ],
    },
    PackLines {
        file: "kernel.yaml",
        key: "kernel-conntrack-full",
        must: &[
            "Nov 21 10:02:11 gw-01 kernel: [ 1208.512345] nf_conntrack: nf_conntrack: table full, dropping packet",
            "Nov 21 10:02:11 gw-01 kernel: nf_conntrack: table full, dropping packet.",
        ],
        must_not: &[
            "Nov 21 10:02:11 gw-01 kernel: [    9.512345] nf_conntrack: default automatic helper assignment has been turned off",
        ],
    },
    PackLines {
        file: "kernel.yaml",
        key: "kernel-syn-flood",
        must: &[
            "Nov 21 10:02:11 web-01 kernel: [ 1208.512345] TCP: request_sock_TCP: Possible SYN flooding on port 443. Sending cookies.  Check SNMP counters.",
            "Nov 21 10:02:11 web-01 kernel: TCP: request_sock_TCPv6: Possible SYN flooding on port [::]:8080. Sending cookies.",
        ],
        must_not: &["Nov 21 10:02:11 web-01 kernel: TCP: out of memory -- consider tuning tcp_mem"],
    },
    PackLines {
        file: "kernel.yaml",
        key: "kernel-hardware",
        must: &[
            "Nov 21 10:02:11 db-01 kernel: [ 1208.512345] mce: [Hardware Error]: Machine check events logged",
            "Nov 21 10:02:11 db-01 kernel: {1}[Hardware Error]: Hardware error from APEI Generic Hardware Error Source: 4",
            "Nov 21 10:02:11 db-01 kernel: EDAC MC0: 1 CE memory read error on CPU_SrcID#0_Ha#0_Chan#1_DIMM#0",
            "Nov 21 10:02:11 db-01 kernel: EDAC MC1: 1 UE memory scrubbing error on DIMM_B1",
        ],
        must_not: &[
            "Nov 21 10:02:11 db-01 kernel: [    3.512345] EDAC MC0: Giving out device to module skx_edac controller Skylake Socket#0",
            "Nov 21 10:02:11 db-01 kernel: [    0.512345] mce: CPU0: Thermal monitoring enabled (TM1)",
        ],
    },
    PackLines {
        file: "kernel.yaml",
        key: "kernel-thermal",
        must: &[
            "Nov 21 10:02:11 db-01 kernel: [ 1208.512345] mce: CPU3: Core temperature above threshold, cpu clock throttled (total events = 1)",
            "Nov 21 10:02:11 db-01 kernel: CPU0: Package temperature/speed above threshold, cpu clock is throttled (total events = 12)",
        ],
        must_not: &[
            "Nov 21 10:02:11 db-01 kernel: [ 1209.512345] mce: CPU3: Core temperature/speed normal",
        ],
    },
    PackLines {
        file: "kernel.yaml",
        key: "kernel-link-down",
        must: &[
            "Nov 21 10:02:11 web-01 kernel: [ 1208.512345] e1000e 0000:00:1f.6 eno1: NIC Link is Down",
            "Nov 21 10:02:11 web-01 kernel: igb 0000:01:00.0 eth0: igb: eth0 NIC Link is Down",
            "Nov 21 10:02:11 web-01 kernel: eth0: Link is Down",
        ],
        must_not: &[
            "Nov 21 10:02:11 web-01 kernel: e1000e 0000:00:1f.6 eno1: NIC Link is Up 1000 Mbps Full Duplex, Flow Control: None",
        ],
    },
    PackLines {
        file: "nginx.yaml",
        key: "nginx-upstream-timeout",
        must: &[
            "2026/11/21 10:02:11 [error] 812#812: *9153 upstream timed out (110: Connection timed out) while reading response header from upstream, client: 198.51.100.4, server: shop.example.com, request: \"POST /checkout HTTP/1.1\", upstream: \"http://10.0.0.12:8080/checkout\", host: \"shop.example.com\"",
            "2026/11/21 10:02:11 [error] 812#812: *9153 upstream timed out (110: Operation timed out) while connecting to upstream, client: 198.51.100.4, server: _, request: \"GET / HTTP/2.0\", upstream: \"fastcgi://unix:/run/php/php8.2-fpm.sock:\", host: \"example.com\"",
        ],
        must_not: &[
            "2026/11/21 10:02:11 [error] 812#812: *9153 connect() failed (111: Connection refused) while connecting to upstream, client: 198.51.100.4, server: _, request: \"GET / HTTP/1.1\", upstream: \"http://10.0.0.12:8080/\", host: \"example.com\"",
            "2026/11/21 10:02:11 [info] 812#812: *9153 client timed out (110: Connection timed out) while waiting for request, client: 198.51.100.4, server: 0.0.0.0:80",
        ],
    },
    PackLines {
        file: "nginx.yaml",
        key: "nginx-upstream-down",
        must: &[
            "2026/11/21 10:02:11 [error] 812#812: *9153 connect() failed (111: Connection refused) while connecting to upstream, client: 198.51.100.4, server: _, request: \"GET / HTTP/1.1\", upstream: \"http://10.0.0.12:8080/\", host: \"example.com\"",
            "2026/11/21 10:02:11 [crit] 812#812: *9153 connect() to unix:/run/app.sock failed (2: No such file or directory) while connecting to upstream, client: 198.51.100.4, server: _, request: \"GET / HTTP/1.1\", upstream: \"http://unix:/run/app.sock:/\", host: \"example.com\"",
            "2026/11/21 10:02:11 [error] 812#812: *9153 no live upstreams while connecting to upstream, client: 198.51.100.4, server: _, request: \"GET / HTTP/1.1\", upstream: \"http://backend/\", host: \"example.com\"",
            "2026/11/21 10:02:11 [error] 812#812: *9153 upstream prematurely closed connection while reading response header from upstream, client: 198.51.100.4, server: _, request: \"GET / HTTP/1.1\", upstream: \"http://10.0.0.12:8080/\", host: \"example.com\"",
            "2026/11/21 10:02:11 [error] 812#812: *9153 recv() failed (104: Connection reset by peer) while reading response header from upstream, client: 198.51.100.4, server: _, request: \"GET / HTTP/1.1\", upstream: \"http://10.0.0.12:8080/\", host: \"example.com\"",
        ],
        must_not: &[
            "2026/11/21 10:02:11 [error] 812#812: *9153 open() \"/srv/www/favicon.ico\" failed (2: No such file or directory), client: 198.51.100.4, server: _, request: \"GET /favicon.ico HTTP/1.1\", host: \"example.com\"",
            "2026/11/21 10:02:11 [warn] 812#812: *9153 an upstream response is buffered to a temporary file /var/cache/nginx/1 while reading upstream, client: 198.51.100.4, server: _, request: \"GET / HTTP/1.1\", upstream: \"http://10.0.0.12:8080/\", host: \"example.com\"",
        ],
    },
    PackLines {
        file: "nginx.yaml",
        key: "nginx-emergency",
        must: &[
            "2026/11/21 10:02:11 [emerg] 812#812: bind() to 0.0.0.0:80 failed (98: Address already in use)",
            "2026/11/21 10:02:11 [alert] 812#812: 512 worker_connections are not enough",
            "2026/11/21 10:02:11 [crit] 812#812: accept4() failed (24: Too many open files)",
        ],
        must_not: &[
            "2026/11/21 10:02:11 [alert] 812#812: worker process 9921 exited on signal 11",
            "2026/11/21 10:02:11 [crit] 812#812: *9153 SSL_do_handshake() failed (SSL: error:0A00006C:SSL routines::bad key share) while SSL handshaking, client: 192.0.2.7, server: 0.0.0.0:443",
            "2026/11/21 10:02:11 [notice] 812#812: signal process started",
        ],
    },
    PackLines {
        file: "nginx.yaml",
        key: "nginx-worker-died",
        must: &[
            "2026/11/21 10:02:11 [alert] 812#812: worker process 9921 exited on signal 11",
            "2026/11/21 10:02:11 [alert] 812#812: worker process 9921 exited on signal 9 (core dumped)",
        ],
        must_not: &["2026/11/21 10:02:11 [notice] 812#812: worker process 9921 exited with code 0"],
    },
    PackLines {
        file: "nginx.yaml",
        key: "nginx-permission",
        must: &[
            "2026/11/21 10:02:11 [error] 812#812: *9153 open() \"/srv/www/index.html\" failed (13: Permission denied), client: 198.51.100.4, server: _, request: \"GET / HTTP/1.1\", host: \"example.com\"",
        ],
        must_not: &[
            "2026/11/21 10:02:11 [error] 812#812: *9153 open() \"/srv/www/x\" failed (2: No such file or directory), client: 198.51.100.4, server: _, request: \"GET /x HTTP/1.1\", host: \"example.com\"",
        ],
    },
    PackLines {
        file: "nginx.yaml",
        key: "nginx-rate-limited",
        must: &[
            "2026/11/21 10:02:11 [error] 812#812: *9153 limiting requests, excess: 20.430 by zone \"perip\", client: 192.0.2.7, server: _, request: \"GET / HTTP/1.1\", host: \"example.com\"",
        ],
        must_not: &[
            "2026/11/21 10:02:11 [warn] 812#812: *9153 delaying request, excess: 0.430, by zone \"perip\", client: 192.0.2.7, server: _, request: \"GET / HTTP/1.1\", host: \"example.com\"",
        ],
    },
    PackLines {
        file: "nginx.yaml",
        key: "nginx-5xx",
        must: &[
            "198.51.100.4 - - [21/Nov/2026:10:02:11 +0000] \"POST /checkout HTTP/1.1\" 504 167 \"https://shop.example.com/cart\" \"Mozilla/5.0 (X11; Linux x86_64)\"",
            "2001:db8::4 - alice [21/Nov/2026:10:02:11 +0100] \"GET / HTTP/2.0\" 500 0 \"-\" \"curl/8.5.0\"",
        ],
        must_not: &[
            "198.51.100.4 - - [21/Nov/2026:10:02:11 +0000] \"GET /products HTTP/1.1\" 200 5042 \"-\" \"Mozilla/5.0\"",
            "198.51.100.4 - - [21/Nov/2026:10:02:11 +0000] \"GET /?q=\\x22 502 1 HTTP/1.1\" 404 502 \"-\" \"x\\x22 503 5\"",
        ],
    },
    PackLines {
        file: "error.yaml",
        key: "error-crash",
        must: &[
            "thread 'main' panicked at src/main.rs:88:10:",
            "2026-11-21T10:02:11.361Z thread 'tokio-runtime-worker' (4711) panicked at src/db.rs:12:5:",
            "2026/11/21 10:02:11 panic: runtime error: index out of range [3] with length 3",
            "fatal error: concurrent map writes",
            "Traceback (most recent call last):",
            "Exception in thread \"main\" java.lang.IllegalStateException: no database",
            "2026-11-21 10:02:11 ERROR Uncaught Exception in request handler",
        ],
        must_not: &[
            "2026-11-21T10:02:11.361Z INFO  orders: panic button enabled",
            "2026-11-21T10:02:11.361Z ERROR orders: no database",
        ],
    },
    PackLines {
        file: "error.yaml",
        key: "error-disk-full",
        must: &[
            "2026-11-21T10:02:11Z ERROR store: write /srv/data/7.seg: No space left on device (os error 28)",
            "Error: ENOSPC: no space left on device, write",
        ],
        must_not: &["2026-11-21T10:02:11Z INFO store: 12 GiB space left on device sda"],
    },
    PackLines {
        file: "error.yaml",
        key: "error-too-many-files",
        must: &[
            "2026-11-21T10:02:11Z ERROR http: accept: Too many open files (os error 24)",
            "Error: EMFILE: too many open files, open '/srv/x'",
        ],
        must_not: &["2026-11-21T10:02:11Z INFO http: 12 files open"],
    },
    PackLines {
        file: "error.yaml",
        key: "error-out-of-memory",
        must: &[
            "java.lang.OutOfMemoryError: Java heap space",
            "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
            "fork: Cannot allocate memory",
        ],
        must_not: &["2026-11-21T10:02:11Z INFO cache: 80 % of memory in use"],
    },
    PackLines {
        file: "error.yaml",
        key: "error-fatal",
        must: &[
            "2026-11-21T10:02:11.361Z FATAL orders: no database after 3 tries, giving up (exit code 101)",
            "2026-11-21 10:02:11,361 CRITICAL [worker] queue is gone",
            "{\"time\":\"2026-11-21T10:02:11Z\",\"level\":\"fatal\",\"msg\":\"no database\"}",
            "ts=2026-11-21T10:02:11Z level=fatal msg=\"no database\"",
        ],
        must_not: &[
            "2026-11-21T10:02:11.361Z ERROR orders: no database",
            "2026-11-21T10:02:11.361Z INFO  orders: nonfatal warnings are hidden",
            "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
        ],
    },
    PackLines {
        file: "error.yaml",
        key: "error-error",
        must: &[
            "2026-11-21T10:02:11.350Z ERROR orders: cannot connect to database orders at 10.0.0.5:5432: connection refused",
            "[2026-11-21 10:02:11] [ERR] queue is slow",
            "{\"level\":\"error\",\"msg\":\"no database\"}",
            "ts=2026-11-21T10:02:11Z level=error msg=\"no database\"",
        ],
        must_not: &[
            "2026-11-21T10:02:11.350Z INFO  orders: order 4711 stored in 12 ms",
            "2026-11-21T10:02:11.350Z INFO  orders: last ERROR was 3 days ago",
            "2026-11-21T10:02:11.350Z FATAL orders: giving up after ERROR",
            "2026-11-21T10:02:11Z ERROR http: accept: Too many open files (os error 24)",
            "0 errors",
        ],
    },
];

#[test]
fn every_shipped_rule_has_lines() {
    let rules = concat!(env!("CARGO_MANIFEST_DIR"), "/rules");
    let mut shipped = Vec::new();
    for entry in std::fs::read_dir(rules).expect("the packs are there") {
        let path = entry.expect("the packs can be listed").path();
        let file = path.file_name().expect("it has a name").to_string_lossy();
        let text = std::fs::read_to_string(&path).expect("a pack can be read");
        for line in text.lines() {
            if let Some(key) = line.strip_prefix("  - key: ") {
                shipped.push((file.to_string(), key.to_owned()));
            }
        }
    }
    let mut listed: Vec<_> = PACK_LINES
        .iter()
        .map(|lines| (lines.file.to_owned(), lines.key.to_owned()))
        .collect();
    shipped.sort();
    listed.sort();
    assert_eq!(listed, shipped);
    for lines in PACK_LINES {
        assert!(
            !lines.must.is_empty() && !lines.must_not.is_empty(),
            "{}",
            lines.key
        );
    }
}
