import org.jetbrains.kotlin.gradle.dsl.JvmTarget

plugins {
    id("com.android.application")
    kotlin("android")
}

android {
    namespace = "dev.nibble.keyboard"
    compileSdk = 36
    defaultConfig {
        applicationId = "dev.nibble.keyboard"
        minSdk = 26
        targetSdk = 34
        versionCode = 1
        versionName = "0.1.0"
        ndk { abiFilters += listOf("arm64-v8a", "x86_64") }
    }
    // The model and the lexicons, as scripts/build-demo-apk leaves them.
    sourceSets["main"].assets.srcDir("target/assets")
    // What is mapped must not be compressed.
    androidResources { noCompress += listOf("gguf", "lex") }
    compileOptions {
        sourceCompatibility = JavaVersion.VERSION_1_8
        targetCompatibility = JavaVersion.VERSION_1_8
    }
}

kotlin {
    compilerOptions { jvmTarget = JvmTarget.JVM_1_8 }
}

dependencies {
    implementation(project(":nibble-android"))
}
