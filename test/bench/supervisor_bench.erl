%% The peer of test/bench/supervisor.ts: the same trees under OTP's own supervisor.
%% Prints the microseconds that CYCLES crash-restart cycles took, and the bytes in use before and after them.
-module(supervisor_bench).
-behaviour(supervisor).
-export([main/1, init/1, start_leaf/2, leaf/2, start_inner/2]).

main([Scenario, Cycles]) ->
    logger:set_primary_config(level, none),
    process_flag(trap_exit, true),
    run(list_to_atom(Scenario), list_to_integer(Cycles)),
    halt(0).

run(Scenario, Cycles) ->
    {ok, _} = supervisor:start_link(?MODULE, {Scenario, self()}),
    started(leaves(Scenario)),
    %% As the other side: one tenth first, so that both measure a warm system.
    crash(Scenario, Cycles div 10),
    Before = memory(),
    Began = erlang:monotonic_time(microsecond),
    crash(Scenario, Cycles),
    Ended = erlang:monotonic_time(microsecond),
    io:format("~b ~b ~b~n", [Ended - Began, Before, memory()]).

%% How many leaves start with the tree, and how many start again after a crash.
leaves(flat) -> 1;
leaves(spread) -> 100;
leaves(nested) -> 10.

again(nested) -> 10;
again(_) -> 1.

memory() -> erlang:garbage_collect(), erlang:memory(total).

%% Crashes one leaf after the other (nested: always the first) and waits until what goes down with it is up again.
crash(_, 0) -> ok;
crash(Scenario, Cycles) ->
    Victim = case Scenario of spread -> Cycles rem 100 + 1; _ -> 1 end,
    get(Victim) ! crash,
    started(again(Scenario)),
    crash(Scenario, Cycles - 1).

started(0) -> ok;
started(Left) ->
    receive {started, Id, Pid} -> put(Id, Pid), started(Left - 1) end.

%% flat: one light child. spread: a hundred supervisors of one each. nested: an inner supervisor of ten light children
%% that gives up at the first crash.
init({flat, Driver}) ->
    {ok, {{one_for_one, 1000000000, 1}, [leaf_spec(1, Driver)]}};
init({spread, Driver}) ->
    {ok, {{one_for_one, 1000000000, 1}, [inner_spec(Id, {single, Id}, Driver) || Id <- lists:seq(1, 100)]}};
init({{single, Id}, Driver}) ->
    {ok, {{one_for_one, 1000000000, 1}, [leaf_spec(Id, Driver)]}};
init({nested, Driver}) ->
    {ok, {{one_for_one, 1000000000, 1}, [inner_spec(inner, inner, Driver)]}};
init({inner, Driver}) ->
    {ok, {{one_for_one, 0, 1}, [leaf_spec(Id, Driver) || Id <- lists:seq(1, 10)]}}.

start_inner(Kind, Driver) -> supervisor:start_link(?MODULE, {Kind, Driver}).

inner_spec(Id, Kind, Driver) ->
    #{id => Id, start => {?MODULE, start_inner, [Kind, Driver]}, restart => permanent, shutdown => infinity,
      type => supervisor}.

leaf_spec(Id, Driver) ->
    #{id => Id, start => {?MODULE, start_leaf, [Id, Driver]}, restart => permanent, shutdown => 5000, type => worker}.

start_leaf(Id, Driver) -> proc_lib:start_link(?MODULE, leaf, [Id, Driver]).

leaf(Id, Driver) ->
    proc_lib:init_ack({ok, self()}),
    Driver ! {started, Id, self()},
    receive crash -> exit(crashed) end.
