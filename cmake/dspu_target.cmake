# What every target of this project is compiled with. Nothing here reaches the users of the libraries.

function(dspu_compile_options target)
  target_compile_features(${target} PUBLIC cxx_std_20)
  set_target_properties(${target} PROPERTIES CXX_EXTENSIONS OFF)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wconversion -Wshadow
    $<$<BOOL:${DSPU_WERROR}>:-Werror>
    # The fences that TSan cannot follow are Asio's own; its headers offer no other way.
    $<$<AND:$<CXX_COMPILER_ID:GNU>,$<IN_LIST:thread,${DSPU_SANITIZE_LIST}>>:-Wno-tsan>
    # GCC 12 reports these inside libstdc++ and Asio once coroutines are inlined.
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
    # So that ccache can tell one precompiled header from another.
    $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>
    $<$<CXX_COMPILER_ID:Clang>:SHELL:-Xclang -fno-pch-timestamp>)
  if(DSPU_SANITIZE)
    target_compile_options(${target} PUBLIC
      -fsanitize=${DSPU_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(${target} PUBLIC -fsanitize=${DSPU_SANITIZE})
    # GCC 12 does not see then that the delete of a coroutine's frame belongs to its new.
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-Wno-mismatched-new-delete>)
  endif()
endfunction()

string(REPLACE "," ";" DSPU_SANITIZE_LIST "${DSPU_SANITIZE}")

# dspu_library(aio SOURCES … DEPENDS …): the library target dspu_aio, known as dspu::aio in the tree and once installed.
function(dspu_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPENDS" ${ARGN})
  add_library(dspu_${name} ${arg_SOURCES})
  add_library(dspu::${name} ALIAS dspu_${name})
  dspu_compile_options(dspu_${name})
  target_link_libraries(dspu_${name} PUBLIC ${arg_DEPENDS})
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/include/dspu/${name}/*.hpp
    ${PROJECT_SOURCE_DIR}/include/dspu/${name}/*.ipp)
  target_sources(dspu_${name} PUBLIC
    FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/include FILES ${headers})
  set_target_properties(dspu_${name} PROPERTIES EXPORT_NAME ${name} OUTPUT_NAME dspu_${name}
    VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    VERIFY_INTERFACE_HEADER_SETS ${PROJECT_IS_TOP_LEVEL})
endfunction()
