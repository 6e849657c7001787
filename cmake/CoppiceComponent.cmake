# coppice_component: one function makes a component of the house.
#
#   coppice_component(NAME media
#     SOURCES store.cpp            implementation files
#     HEADERS store.h              public headers; each is compiled alone once in a tests build
#     TESTS   store_test.cpp       GoogleTest sources beside the code
#     DEPENDS base objects         other components (coppice::<name>)
#     LINK    OpenSSL::Crypto      third-party libraries
#     TEST_LINK GTest::gmock)      what only the tests need
#
# gives the library coppice::<name> and, with COPPICE_TESTS, the program <name>_test.
option(COPPICE_HEADERS_ALONE "In a tests build, compile each public header alone" ON)

add_library(coppice_flags INTERFACE)
target_compile_features(coppice_flags INTERFACE cxx_std_20)
target_include_directories(coppice_flags INTERFACE ${CMAKE_SOURCE_DIR}/src)
# -Wno-restrict: g++ 12 warns falsely on std::string operations.
target_compile_options(coppice_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wnon-virtual-dtor -Wno-missing-field-initializers
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  $<$<BOOL:${COPPICE_WERROR}>:-Werror>)
if(COPPICE_SANITIZE)
  target_compile_options(coppice_flags INTERFACE
    -fsanitize=${COPPICE_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -O1)
  target_link_options(coppice_flags INTERFACE -fsanitize=${COPPICE_SANITIZE})
endif()
if(COPPICE_COVERAGE)
  target_compile_options(coppice_flags INTERFACE --coverage -O0)
  target_link_options(coppice_flags INTERFACE --coverage)
endif()
find_program(COPPICE_CCACHE ccache)
if(COPPICE_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${COPPICE_CCACHE})
endif()
find_program(COPPICE_MOLD mold)
if(COPPICE_MOLD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_link_options(coppice_flags INTERFACE -fuse-ld=mold)
endif()
if(COPPICE_TIDY)
  set(CMAKE_CXX_CLANG_TIDY clang-tidy-14)
endif()

function(coppice_component)
  cmake_parse_arguments(ARG "" "NAME" "SOURCES;HEADERS;TESTS;DEPENDS;LINK;TEST_LINK" ${ARGN})
  set(target coppice_${ARG_NAME})
  list(TRANSFORM ARG_DEPENDS PREPEND coppice::)
  add_library(${target} STATIC ${ARG_SOURCES})
  add_library(coppice::${ARG_NAME} ALIAS ${target})
  target_link_libraries(${target} PUBLIC coppice_flags ${ARG_DEPENDS} ${ARG_LINK})

  if(NOT COPPICE_TESTS)
    return()
  endif()
  set(alone)
  foreach(header ${ARG_HEADERS})
    string(REPLACE "/" "_" stem ${header})
    set(file ${CMAKE_CURRENT_BINARY_DIR}/alone_${stem}.cpp)
    file(CONFIGURE OUTPUT ${file} CONTENT "#include \"${ARG_NAME}/${header}\"\n")
    list(APPEND alone ${file})
  endforeach()
  if(alone AND COPPICE_HEADERS_ALONE)
    add_library(${target}_headers OBJECT ${alone})
    target_link_libraries(${target}_headers PRIVATE ${target})
  endif()
  if(ARG_TESTS)
    add_executable(${ARG_NAME}_test ${ARG_TESTS})
    target_link_libraries(${ARG_NAME}_test PRIVATE ${target} ${ARG_TEST_LINK} GTest::gtest_main)
    add_test(NAME ${ARG_NAME} COMMAND ${ARG_NAME}_test)
  endif()
endfunction()
