import org.jetbrains.kotlin.gradle.dsl.JvmTarget

plugins {
    kotlin("jvm")
    `java-library`
}

kotlin {
    explicitApi()
    compilerOptions {
        jvmTarget = JvmTarget.JVM_1_8
        freeCompilerArgs.addAll("-Xlambdas=class", "-Xsam-conversions=class")
    }
    sourceSets.main { kotlin.srcDir("../generated") }
    sourceSets.test { kotlin.srcDir("../examples") }
}

java {
    sourceCompatibility = JavaVersion.VERSION_1_8
    targetCompatibility = JavaVersion.VERSION_1_8
}

dependencies {
    api("org.jetbrains.kotlinx:kotlinx-coroutines-core:1.10.2")
    // Android needs JNA's archive for Android, which nibble-android asks for.
    compileOnly("net.java.dev.jna:jna:5.18.1")
    testImplementation("net.java.dev.jna:jna:5.18.1")
    testImplementation(platform("org.junit:junit-bom:5.14.4"))
    testImplementation("org.junit.jupiter:junit-jupiter")
    testImplementation("org.junit.platform:junit-platform-launcher")
    testImplementation(kotlin("test-junit5"))
    testImplementation("org.jetbrains.kotlinx:kotlinx-coroutines-test:1.10.2")
    testImplementation("org.jetbrains.kotlinx:kotlinx-serialization-json:1.9.0")
}

tasks.test {
    useJUnitPlatform()
    maxHeapSize = "1g"
    jvmArgs("--add-opens", "java.base/java.io=ALL-UNNAMED")
    // ./gradlew test -Plibrary=FOLDER -Pcommand=FILE: libnibble_ffi.so and the nibble command.
    systemProperty("jna.library.path", findProperty("library") ?: rootDir.resolve("../../target/debug").path)
    systemProperty("nibble.command", findProperty("command") ?: rootDir.resolve("../../target/debug/nibble").path)
}
