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
    _ = started(leaves(Scenario), undefined),
    %% As the other side: one tenth first, so that both measure a warm system.
    crash(Scenario, Cycles div 10),
    Before = memory(),
    Began = erlang:monotonic_time(microsecond),
    crash(Scenario, Cycles),
    Ended = erlang:monotonic_time(microsecond),
    io:format("~b ~b ~b~n", [Ended - Began, Before, memory()]).

leaves(flat) -> 1;
leaves(nested) -> 10.

memory() -> erlang:garbage_collect(), erlang:memory(total).

%% Crashes the leaf named 1 and waits until all that goes down with it has started again.
crash(_, 0) -> ok;
crash(Scenario, Cycles) ->
    Leaf = get(leaf),
    Leaf ! crash,
    _ = started(leaves(Scenario), Leaf),
    crash(Scenario, Cycles - 1).

started(0, Leaf) -> Leaf;
started(Left, Leaf) ->
    receive
        {started, 1, Pid} -> put(leaf, Pid), started(Left - 1, Leaf);
        {started, _, _} -> started(Left - 1, Leaf)
    end.

%% flat: one light child. nested: an inner supervisor of ten light children that gives up at the first crash.
init({flat, Driver}) ->
    {ok, {{one_for_one, 1000000000, 1}, [leaf_spec(1, Driver)]}};
init({nested, Driver}) ->
    {ok, {{one_for_one, 1000000000, 1},
          [#{id => inner, start => {?MODULE, start_inner, [inner, Driver]}, restart => permanent,
             shutdown => infinity, type => supervisor}]}};
init({inner, Driver}) ->
    {ok, {{one_for_one, 0, 1}, [leaf_spec(Id, Driver) || Id <- lists:seq(1, 10)]}}.

start_inner(inner, Driver) -> supervisor:start_link(?MODULE, {inner, Driver}).

leaf_spec(Id, Driver) ->
    #{id => Id, start => {?MODULE, start_leaf, [Id, Driver]}, restart => permanent, shutdown => 5000, type => worker}.

start_leaf(Id, Driver) -> proc_lib:start_link(?MODULE, leaf, [Id, Driver]).

leaf(Id, Driver) ->
    proc_lib:init_ack({ok, self()}),
    Driver ! {started, Id, self()},
    receive crash -> exit(crashed) end.
