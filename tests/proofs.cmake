# The checks of whole promises rather than of single functions (docs/testing.md): a program each.

# replay_traces FILE…: scenarios recorded from the reference. The repository holds a sample of them.
find_package(Boost 1.81 CONFIG REQUIRED COMPONENTS json)
file(GLOB dspu_replays CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/traces/*.cpp)
add_executable(replay_traces ${dspu_replays})
dspu_compile_options(replay_traces)
target_include_directories(replay_traces PRIVATE ${CMAKE_CURRENT_SOURCE_DIR})
target_link_libraries(replay_traces PRIVATE dspu::testing Boost::json)
set(dspu_trace_folders sample=${CMAKE_CURRENT_LIST_DIR}/traces/sample full=${PROJECT_SOURCE_DIR}/../shared/traces)
foreach(entry IN LISTS dspu_trace_folders)
  string(REGEX MATCH "^([^=]+)=(.*)$" unused "${entry}")
  set(name ${CMAKE_MATCH_1})
  file(GLOB traces CONFIGURE_DEPENDS ${CMAKE_MATCH_2}/*.jsonl)
  if(traces)
    add_test(NAME Traces.${name} COMMAND replay_traces ${traces})
  endif()
endforeach()

# Each file is about a fault that was mended, and says what it did.
dspu_tests(regress PCH pch_aio.hpp DEPENDS dspu::testing)

dspu_tests(cancellation PCH pch_aio.hpp ALSO cancellation/*.cpp DEPENDS dspu::testing)

# Every pair of policies, in both orders.
dspu_tests(composition PCH pch_aio.hpp ALSO composition/*.cpp DEPENDS dspu::testing)

# A program of its own: it counts what is allocated, in an operator new where the runtimes of clang's sanitizers have theirs.
if(NOT (DSPU_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang"))
  dspu_tests(allocation PCH pch_aio.hpp ALSO support/allocations.cpp DEPENDS dspu::aio)
  # Lets each allocation fail in turn, in the scenarios of the cancellation harness.
  dspu_tests(allocation_failure PCH pch_aio.hpp ALSO allocation_failure/*.cpp cancellation/scenarios.cpp
    cancellation/world.cpp support/allocations.cpp DEPENDS dspu::testing)
endif()

# The tests that the documentation names.
find_program(DSPU_BASH bash)
if(DSPU_BASH)
  add_test(NAME docs.semantics COMMAND ${DSPU_BASH} ${CMAKE_CURRENT_LIST_DIR}/semantics.sh ${CMAKE_CURRENT_LIST_DIR}
    ${PROJECT_SOURCE_DIR}/docs/semantics.md)
endif()

# rapidcheck prints the seed of a run; RC_PARAMS="seed=…" repeats it.
find_package(rapidcheck CONFIG REQUIRED)
dspu_tests(property PCH pch_property.hpp DEPENDS dspu::testing rapidcheck rapidcheck_gtest)

dspu_tests(schedules PCH pch_aio.hpp DEPENDS dspu::aio)
