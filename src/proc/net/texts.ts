/** Column names and fixed texts of the files in net/. */

/** Names of net/snmp by protocol. */
export const IP_NAMES = (
  "Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos InDiscards InDelivers " +
  "OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates " +
  "OutTransmits"
).split(" ");
export const ICMP_NAMES = (
  "InMsgs InErrors InCsumErrors InDestUnreachs InTimeExcds InParmProbs InSrcQuenchs InRedirects InEchos InEchoReps " +
  "InTimestamps InTimestampReps InAddrMasks InAddrMaskReps OutMsgs OutErrors OutRateLimitGlobal OutRateLimitHost " +
  "OutDestUnreachs OutTimeExcds OutParmProbs OutSrcQuenchs OutRedirects OutEchos OutEchoReps OutTimestamps " +
  "OutTimestampReps OutAddrMasks OutAddrMaskReps"
).split(" ");
export const TCP_NAMES = (
  "RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs " +
  "RetransSegs InErrs OutRsts InCsumErrors"
).split(" ");
export const UDP_NAMES =
  "InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors".split(" ");

/** Names of net/netstat. */
export const TCP_EXT_NAMES = (
  "SyncookiesSent SyncookiesRecv SyncookiesFailed EmbryonicRsts PruneCalled RcvPruned OfoPruned OutOfWindowIcmps " +
  "LockDroppedIcmps ArpFilter TW TWRecycled TWKilled PAWSActive PAWSEstab BeyondWindow TSEcrRejected PAWSOldAck " +
  "PAWSTimewait DelayedACKs DelayedACKLocked DelayedACKLost ListenOverflows ListenDrops TCPHPHits TCPPureAcks " +
  "TCPHPAcks TCPRenoRecovery TCPSackRecovery TCPSACKReneging TCPSACKReorder TCPRenoReorder TCPTSReorder TCPFullUndo " +
  "TCPPartialUndo TCPDSACKUndo TCPLossUndo TCPLostRetransmit TCPRenoFailures TCPSackFailures TCPLossFailures " +
  "TCPFastRetrans TCPSlowStartRetrans TCPTimeouts TCPLossProbes TCPLossProbeRecovery TCPRenoRecoveryFail " +
  "TCPSackRecoveryFail TCPRcvCollapsed TCPBacklogCoalesce TCPDSACKOldSent TCPDSACKOfoSent TCPDSACKRecv " +
  "TCPDSACKOfoRecv TCPAbortOnData TCPAbortOnClose TCPAbortOnMemory TCPAbortOnTimeout TCPAbortOnLinger " +
  "TCPAbortFailed TCPMemoryPressures TCPMemoryPressuresChrono TCPSACKDiscard TCPDSACKIgnoredOld " +
  "TCPDSACKIgnoredNoUndo TCPSpuriousRTOs TCPMD5NotFound TCPMD5Unexpected TCPMD5Failure TCPSackShifted TCPSackMerged " +
  "TCPSackShiftFallback TCPBacklogDrop PFMemallocDrop TCPMinTTLDrop TCPDeferAcceptDrop IPReversePathFilter " +
  "TCPTimeWaitOverflow TCPReqQFullDoCookies TCPReqQFullDrop TCPRetransFail TCPRcvCoalesce TCPOFOQueue TCPOFODrop " +
  "TCPOFOMerge TCPChallengeACK TCPSYNChallenge TCPFastOpenActive TCPFastOpenActiveFail TCPFastOpenPassive " +
  "TCPFastOpenPassiveFail TCPFastOpenListenOverflow TCPFastOpenCookieReqd TCPFastOpenBlackhole " +
  "TCPSpuriousRtxHostQueues BusyPollRxPackets TCPAutoCorking TCPFromZeroWindowAdv TCPToZeroWindowAdv " +
  "TCPWantZeroWindowAdv TCPSynRetrans TCPOrigDataSent TCPHystartTrainDetect TCPHystartTrainCwnd " +
  "TCPHystartDelayDetect TCPHystartDelayCwnd TCPACKSkippedSynRecv TCPACKSkippedPAWS TCPACKSkippedSeq " +
  "TCPACKSkippedFinWait2 TCPACKSkippedTimeWait TCPACKSkippedChallenge TCPWinProbe TCPKeepAlive TCPMTUPFail " +
  "TCPMTUPSuccess TCPDelivered TCPDeliveredCE TCPAckCompressed TCPZeroWindowDrop TCPRcvQDrop TCPWqueueTooBig " +
  "TCPFastOpenPassiveAltKey TcpTimeoutRehash TcpDuplicateDataRehash TCPDSACKRecvSegs TCPDSACKIgnoredDubious " +
  "TCPMigrateReqSuccess TCPMigrateReqFailure TCPPLBRehash TCPAORequired TCPAOBad TCPAOKeyNotFound TCPAOGood " +
  "TCPAODroppedIcmps"
).split(" ");
export const IP_EXT_NAMES = (
  "InNoRoutes InTruncatedPkts InMcastPkts OutMcastPkts InBcastPkts OutBcastPkts InOctets OutOctets InMcastOctets " +
  "OutMcastOctets InBcastOctets OutBcastOctets InCsumErrors InNoECTPkts InECT1Pkts InECT0Pkts InCEPkts " +
  "ReasmOverlaps"
).split(" ");
export const MPTCP_EXT_NAMES = (
  "MPCapableSYNRX MPCapableSYNTX MPCapableSYNACKRX MPCapableACKRX MPCapableFallbackACK MPCapableFallbackSYNACK " +
  "MPCapableSYNTXDrop MPCapableSYNTXDisabled MPCapableEndpAttempt MPFallbackTokenInit MPTCPRetrans " +
  "MPJoinNoTokenFound MPJoinSynRx MPJoinSynBackupRx MPJoinSynAckRx MPJoinSynAckBackupRx MPJoinSynAckHMacFailure " +
  "MPJoinAckRx MPJoinAckHMacFailure MPJoinRejected MPJoinSynTx MPJoinSynTxCreatSkErr MPJoinSynTxBindErr " +
  "MPJoinSynTxConnectErr DSSNotMatching DSSCorruptionFallback DSSCorruptionReset InfiniteMapTx InfiniteMapRx " +
  "DSSNoMatchTCP DataCsumErr OFOQueueTail OFOQueue OFOMerge NoDSSInWindow DuplicateData AddAddr AddAddrTx " +
  "AddAddrTxDrop EchoAdd EchoAddTx EchoAddTxDrop PortAdd AddAddrDrop MPJoinPortSynRx MPJoinPortSynAckRx " +
  "MPJoinPortAckRx MismatchPortSynRx MismatchPortAckRx RmAddr RmAddrDrop RmAddrTx RmAddrTxDrop RmSubflow MPPrioTx " +
  "MPPrioRx MPFailTx MPFailRx MPFastcloseTx MPFastcloseRx MPRstTx MPRstRx SubflowStale SubflowRecover SndWndShared " +
  "RcvWndShared RcvWndConflictUpdate RcvWndConflict MPCurrEstab Blackhole MPCapableDataFallback MD5SigFallback " +
  "DssFallback SimultConnectFallback FallbackFailed WinProbe"
).split(" ");

/** Names of net/snmp6. */
export const SNMP6_NAMES = (
  "Ip6InReceives Ip6InHdrErrors Ip6InTooBigErrors Ip6InNoRoutes Ip6InAddrErrors Ip6InUnknownProtos " +
  "Ip6InTruncatedPkts Ip6InDiscards Ip6InDelivers Ip6OutForwDatagrams Ip6OutRequests Ip6OutDiscards Ip6OutNoRoutes " +
  "Ip6ReasmTimeout Ip6ReasmReqds Ip6ReasmOKs Ip6ReasmFails Ip6FragOKs Ip6FragFails Ip6FragCreates Ip6InMcastPkts " +
  "Ip6OutMcastPkts Ip6InOctets Ip6OutOctets Ip6InMcastOctets Ip6OutMcastOctets Ip6InBcastOctets Ip6OutBcastOctets " +
  "Ip6InNoECTPkts Ip6InECT1Pkts Ip6InECT0Pkts Ip6InCEPkts Ip6OutTransmits Icmp6InMsgs Icmp6InErrors Icmp6OutMsgs " +
  "Icmp6OutErrors Icmp6InCsumErrors Icmp6OutRateLimitHost Icmp6InDestUnreachs Icmp6InPktTooBigs Icmp6InTimeExcds " +
  "Icmp6InParmProblems Icmp6InEchos Icmp6InEchoReplies Icmp6InGroupMembQueries Icmp6InGroupMembResponses " +
  "Icmp6InGroupMembReductions Icmp6InRouterSolicits Icmp6InRouterAdvertisements Icmp6InNeighborSolicits " +
  "Icmp6InNeighborAdvertisements Icmp6InRedirects Icmp6InMLDv2Reports Icmp6OutDestUnreachs Icmp6OutPktTooBigs " +
  "Icmp6OutTimeExcds Icmp6OutParmProblems Icmp6OutEchos Icmp6OutEchoReplies Icmp6OutGroupMembQueries " +
  "Icmp6OutGroupMembResponses Icmp6OutGroupMembReductions Icmp6OutRouterSolicits Icmp6OutRouterAdvertisements " +
  "Icmp6OutNeighborSolicits Icmp6OutNeighborAdvertisements Icmp6OutRedirects Icmp6OutMLDv2Reports Udp6InDatagrams " +
  "Udp6NoPorts Udp6InErrors Udp6OutDatagrams Udp6RcvbufErrors Udp6SndbufErrors Udp6InCsumErrors Udp6IgnoredMulti " +
  "Udp6MemErrors UdpLite6InDatagrams UdpLite6NoPorts UdpLite6InErrors UdpLite6OutDatagrams UdpLite6RcvbufErrors " +
  "UdpLite6SndbufErrors UdpLite6InCsumErrors UdpLite6MemErrors"
).split(" ");

export const XFRM_NAMES = (
  "XfrmInError XfrmInBufferError XfrmInHdrError XfrmInNoStates XfrmInStateProtoError XfrmInStateModeError " +
  "XfrmInStateSeqError XfrmInStateExpired XfrmInStateMismatch XfrmInStateInvalid XfrmInTmplMismatch XfrmInNoPols " +
  "XfrmInPolBlock XfrmInPolError XfrmOutError XfrmOutBundleGenError XfrmOutBundleCheckError XfrmOutNoStates " +
  "XfrmOutStateProtoError XfrmOutStateModeError XfrmOutStateSeqError XfrmOutStateExpired XfrmOutPolBlock " +
  "XfrmOutPolDead XfrmOutPolError XfrmFwdHdrError XfrmOutStateInvalid XfrmAcquireError XfrmOutStateDirError " +
  "XfrmInStateDirError XfrmInIptfsError XfrmOutNoQueueSpace"
).split(" ");

/** A protocol's line of net/protocols: name, object size, pages it counts, headers, slab, methods. */
export type Protocol = readonly [
  name: string,
  size: number,
  memory: number,
  header: number,
  slab: string,
  methods: string,
];

export const PROTOCOLS: readonly Protocol[] = [
  ["PACKET", 1600, -1, 0, "no", "n n n n n n n n n n n n n n n n n n"],
  ["PINGv6", 1344, -1, 0, "yes", "y y y n n y n n y y y y y y n y y n"],
  ["RAWv6", 1344, -1, 0, "yes", "y y y n y y y n y y y y y y y y n n"],
  ["UDPLITEv6", 1472, 0, 0, "yes", "y y y n y y y n y y y y n n y y y n"],
  ["UDPv6", 1472, 0, 0, "yes", "y y y n y y y n y y y y n n y y y n"],
  ["TCPv6", 2432, 0, 192, "yes", "y y y y y y y y y y y y n y y y y y"],
  ["XDP", 1088, -1, 0, "no", "n n n n n n n n n n n n n n n n n n"],
  ["UNIX-STREAM", 1152, -1, 0, "yes", "y n n n n n n n n n n n n n n n n n"],
  ["UNIX", 1152, -1, 0, "yes", "y n n n n n n n n n n n n n n n n n"],
  ["UDP-Lite", 1344, 0, 0, "yes", "y y y n y y y n y y y y n n y y y n"],
  ["PING", 1016, -1, 0, "yes", "y y y n n y n n y y y y y y n y y n"],
  ["RAW", 1152, -1, 0, "yes", "y y y n y y y n y y y y y y y y n n"],
  ["UDP", 1344, 0, 0, "yes", "y y y n y y y n y y y y n n y y y n"],
  ["TCP", 2304, 0, 192, "yes", "y y y y y y y y y y y y n y y y y y"],
  ["NETLINK", 1096, -1, 0, "no", "n n n n n n n n n n n n n n n n n n"],
];

export const PROTOCOLS_HEADER =
  "protocol  size sockets  memory press maxhdr  slab module     cl co di ac io in de sh ss gs se re bi br ha uh gp em\n";

/** First lines; some are padded with blanks when they are shown. */
export const TCP_HEADER =
  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
export const TCP6_HEADER =
  "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
export const UDP_HEADER =
  "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops";
export const RAW_HEADER =
  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops";
export const UNIX_HEADER = "Num       RefCount Protocol Flags    Type St Inode Path";
export const NETLINK_HEADER =
  "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode";
export const PACKET_HEADER = "sk               RefCnt Type Proto  Iface R Rmem   User   Inode";
export const ROUTE_HEADER = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT";
export const ARP_HEADER = "IP address       HW type     Flags       HW address            Mask     Device";
export const RT_CACHE_HEADER =
  "Iface\tDestination\tGateway \tFlags\t\tRefCnt\tUse\tMetric\tSource\t\tMTU\tWindow\tIRTT\tTOS\tHHRef\tHHUptod\tSpecDst";
export const MC_FILTER_HEADER = "Idx Device        MCA        SRC    INC    EXC";
export const MC_FILTER6_HEADER =
  "Idx Device                Multicast Address                   Source Address    INC    EXC";
export const MR_VIF_HEADER = "Interface      BytesIn  PktsIn  BytesOut PktsOut Flags Local    Remote";
export const MR_CACHE_HEADER = "Group    Origin   Iif     Pkts    Bytes    Wrong Oifs";
export const MR_VIF6_HEADER = "Interface      BytesIn  PktsIn  BytesOut PktsOut Flags";
export const MR_CACHE6_HEADER =
  "Group                            Origin                           Iif      Pkts  Bytes     Wrong  Oifs";
export const FLOW_LABEL_HEADER = "Label S Owner  Users  Linger Expires  Dst                              Opt";
export const ICMP_HEADER =
  "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops";
export const UDP6_HEADER =
  "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops";

/** Headers of net/stat/ files, and a CPU's line of zeros after the number of entries. */
export const CACHE_STATS: readonly (readonly [name: string, header: string, rest: string])[] = [
  [
    "arp_cache",
    "entries  allocs   destroys hash_grows lookups  hits     res_failed rcv_probes_mcast rcv_probes_ucast periodic_gc_runs forced_gc_runs unresolved_discards table_fulls",
    " 00000000 00000000 00000000   00000000 00000000 00000000   00000000         00000000         00000000         00000000       00000000            00000000",
  ],
  [
    "ndisc_cache",
    "entries  allocs   destroys hash_grows lookups  hits     res_failed rcv_probes_mcast rcv_probes_ucast periodic_gc_runs forced_gc_runs unresolved_discards table_fulls",
    " 00000000 00000000 00000000   00000000 00000000 00000000   00000000         00000000         00000000         00000000       00000000            00000000",
  ],
  [
    "rt_cache",
    "entries  in_hit   in_slow_tot in_slow_mc in_no_route in_brd   in_martian_dst in_martian_src out_hit  out_slow_tot out_slow_mc gc_total gc_ignored gc_goal_miss gc_dst_overflow in_hlist_search out_hlist_search",
    " 00000000 00000000    00000000   00000000    00000000 00000000       00000000       00000000 00000000     00000000    00000000 00000000   00000000     00000000        00000000        00000000",
  ],
  [
    "nf_conntrack",
    "entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error  expect_new expect_create expect_delete search_restart",
    "  00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000  00000000 00000000 00000000 00000000",
  ],
];
